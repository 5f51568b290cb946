// How a person is told how many: "1 pack", "2 packs".

export function sayCount(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}
