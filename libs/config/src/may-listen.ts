import { BlockList, isIP } from 'node:net';
import type { ServiceConfig } from './services.ts';

export type AuthMode = ServiceConfig<'gateway'>['auth']['mode'];

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only processes of this machine reach an address. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '');
  if (address === 'localhost') return true;
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Without a key everybody who reaches the address has every right: that must have been said by somebody. */
export function mayListen(auth: { mode: AuthMode; host: string; hasKeys: boolean }): boolean {
  return auth.mode !== 'auto' || auth.hasKeys || isLoopback(auth.host);
}
