// Whose connections and requests are counted together when they are counted by address.
//
// IPv4: the address. IPv6: its first 64 bits, the network that one subscriber is given (RFC 6177),
// for whoever has one can come from 2^64 addresses of it. An IPv4 address written as IPv6 (RFC 4291
// section 2.5.5.2) is the IPv4 address.

const MAPPED = "::ffff:";
const GROUPS = 8;
const NETWORK_GROUPS = 4;

/** `address` is one that a socket has reported, or that was parsed: never a name. */
export function addressGroup(address: string): string {
  if (!address.includes(":")) return address;
  if (address.startsWith(MAPPED) && address.includes(".")) return address.slice(MAPPED.length);
  const bare = address.split("%", 1)[0] as string;
  const [front = "", back] = bare.split("::");
  const left = front === "" ? [] : front.split(":");
  const right = back === undefined || back === "" ? [] : back.split(":");
  const zeros = back === undefined ? 0 : Math.max(0, GROUPS - left.length - right.length);
  const groups = [...left, ...Array.from({ length: zeros }, () => "0"), ...right];
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => Number.parseInt(group, 16));
  return `${network.map((group) => group.toString(16)).join(":")}::/64`;
}
