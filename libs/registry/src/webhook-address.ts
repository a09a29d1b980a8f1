import ipaddr from 'ipaddr.js';

/**
 * Where webhooks may go. Whoever can name an address can make this process ask it, so an address must be public
 * unless the setting `webhooks.allow` lists it. Judged twice: by form when the address is given (gateway), and by
 * the addresses its name resolves to when the connection is made (deliverer), because a name that was public when
 * it was looked at may be loopback a second later.
 *
 * It stands beside the outbox because both sides must judge alike, and services do not import each other.
 */
export interface WebhookRules {
  /** Lower case, as the URL parser writes them. */
  hosts: ReadonlySet<string>;
  networks: readonly Network[];
}

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** @throws Error for an entry that is neither a host name nor an address nor a network. */
export function readWebhookRules(allow: readonly string[]): WebhookRules {
  const hosts = new Set<string>();
  const networks: Network[] = [];
  for (const entry of allow) {
    const text = entry.trim();
    const literal = text.replace(/^\[(.*)\]$/, '$1');
    if (ipaddr.isValidCIDR(literal)) networks.push(ipaddr.parseCIDR(literal));
    else if (isAddress(literal)) {
      const address = ipaddr.parse(literal);
      networks.push([address, address.kind() === 'ipv4' ? 32 : 128]);
    } else {
      const host = URL.parse(`https://${text}`)?.hostname;
      if (host === undefined || host === '' || /[/:@?#]/.test(text)) {
        throw new Error(
          `webhooks.allow: ${JSON.stringify(entry)} is no host name, address or network such as 10.0.0.0/8`,
        );
      }
      hosts.add(bare(host));
    }
  }
  return { hosts, networks };
}

/**
 * Why deliveries to this address would be refused whatever it resolves to; null when its form is fine. The URL
 * parser has turned 0x7f000001, 2130706433 and 127.1 into 127.0.0.1 by then.
 */
export function formRefusal(url: string, rules: WebhookRules): string | null {
  const parsed = URL.parse(url);
  if (parsed === null) return 'it is no URL';
  const { protocol } = parsed;
  if (protocol !== 'https:' && protocol !== 'http:') return 'only https (and http where allowed) is spoken';
  if (parsed.username !== '' || parsed.password !== '') return 'user and password in a URL are not sent';
  const host = bare(parsed.hostname);
  const address = addressOf(host);
  if (address === null) {
    if (isListedName(host, rules)) return null;
    if (isLoopbackName(host)) return `${host} is not a public address`;
    // Also where the name may lead into a listed network: that is known only later, and a name can be listed itself.
    if (protocol === 'http:') return httpRefusal;
  } else {
    if (isListed(address, rules)) return null;
    if (!isPublic(address)) return `${address} is not a public address`;
    if (protocol === 'http:') return httpRefusal;
  }
  const port = Number(parsed.port || (protocol === 'https:' ? 443 : 80));
  return portRefusal(port);
}

const httpRefusal = 'it is not https';

/** 80, 443 and what needs no privilege to listen on: below are mail, name and file servers, and none takes webhooks. */
function portRefusal(port: number): string | null {
  return port === 80 || port === 443 || port >= 1024
    ? null
    : `port ${port} is not one that webhooks are sent to`;
}

/**
 * Why no connection to `address` is made on behalf of `host`, the URL's host name; null when it may be made. Over
 * plain http only what is listed is reached.
 */
export function addressRefusal(
  host: string,
  address: string,
  protocol: 'http:' | 'https:',
  rules: WebhookRules,
): string | null {
  if (isListedName(bare(host), rules)) return null;
  const parsed = addressOf(address);
  if (parsed === null) return `${JSON.stringify(address)} is no address`;
  if (isListed(parsed, rules)) return null;
  if (!isPublic(parsed)) return `${host} is at ${address}, which is not a public address`;
  return protocol === 'http:' ? httpRefusal : null;
}

/** The advice that goes with every refusal. */
export const allowAdvice =
  'The setting webhooks.allow lists hosts, addresses and networks that may be sent to nevertheless.';

/**
 * Globally reachable unicast, and nothing that carries another address inside (mapped, NAT64, 6to4, Teredo):
 * what is at their far end is decided by a router, not by us.
 */
function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.range() !== 'unicast') return false;
  // Only 2000::/3 has been given out; elsewhere the library says unicast for what is nobody's (and for ::a.b.c.d).
  return address.kind() === 'ipv4' || address.match(globalUnicast);
}

const globalUnicast = ipaddr.parseCIDR('2000::/3');

function isListed(address: ipaddr.IPv4 | ipaddr.IPv6, rules: WebhookRules): boolean {
  return rules.networks.some(
    ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
  );
}

/** Whoever lists 127.0.0.1 means this machine, and by RFC 6761 so does the name. */
function isListedName(host: string, rules: WebhookRules): boolean {
  if (rules.hosts.has(host)) return true;
  return isLoopbackName(host) && loopbacks.some((address) => isListed(address, rules));
}

const isLoopbackName = (host: string) => host === 'localhost' || host.endsWith('.localhost');
const loopbacks = [ipaddr.parse('127.0.0.1'), ipaddr.parse('::1')];

function addressOf(host: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  const literal = host.replace(/^\[(.*)\]$/, '$1');
  return isAddress(literal) ? ipaddr.parse(literal) : null;
}

/** `ipaddr.isValid` alone takes 127.1 and 0x7f.1 for addresses; here they are names, as `getaddrinfo` may differ. */
function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);
}

/** `Example.COM.` and `example.com` are one host. */
function bare(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}
