// What is told one by one, bounded: the first thousand, and how many there are of them.

export const namedMax = 1_000;

export class Named<One = string> {
  readonly first: One[] = [];
  count = 0;

  add(one: One): void {
    this.count++;
    if (this.first.length < namedMax) this.first.push(one);
  }
}
