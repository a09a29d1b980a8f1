/** Who asks: the name is for the figures, the key is sent as `Authorization: Bearer`. */
export interface Tenant {
  name: string;
  key: string;
}

const name = /^[A-Za-z0-9][\w.-]{0,63}$/;
// What a header may hold (RFC 6750's token68 and a little more); anything else would fail with each request.
const key = /^[\x21-\x7e]+$/;

/**
 * `name=key` pairs, between commas or one a line; in lines a `#` opens a remark. What a pair says is never repeated in an
 * error, since it holds a key.
 * @throws Error that names the place of what is wrong
 */
export function readTenants(text: string): Tenant[] {
  const found: Tenant[] = [];
  const pairs = text
    .split('\n')
    .filter((line) => !line.trim().startsWith('#'))
    .flatMap((line) => line.split(','))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '');
  for (const [index, pair] of pairs.entries()) {
    const place = pair.indexOf('=');
    const tenant = { name: pair.slice(0, Math.max(0, place)).trim(), key: pair.slice(place + 1).trim() };
    if (place === -1 || !name.test(tenant.name) || !key.test(tenant.key)) {
      throw new Error(`pair ${index + 1} must look like name=key (a name of letters, digits, ".", "_", "-")`);
    }
    if (found.some((other) => other.name === tenant.name)) {
      throw new Error(`there are two tenants called ${tenant.name}`);
    }
    found.push(tenant);
  }
  if (found.length === 0) throw new Error('must name at least one tenant: name=key');
  return found;
}

/** Keys alone: their tenants are numbered. */
export function numberedTenants(keys: readonly string[]): Tenant[] {
  return keys.map((one, index) => ({ name: `tenant-${index + 1}`, key: one }));
}
