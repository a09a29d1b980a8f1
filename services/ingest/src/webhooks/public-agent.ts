import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { addressRefusal, allowAdvice, type WebhookRules } from '@vortex/registry';
import { Agent, type Dispatcher } from 'undici';

/** The address may not be sent to; no retry helps. */
export class BlockedAddress extends Error {
  constructor(reason: string) {
    super(`blocked: ${reason}. ${allowAdvice}`);
    this.name = 'BlockedAddress';
  }
}

export interface GuardedDispatchers {
  /** For a URL whose form has been judged; an address in digits is never looked up, so nothing judges it here. */
  for(protocol: string): Dispatcher;
  close(): Promise<void>;
}

/**
 * Connections that are made only to addresses the rules allow. The name is resolved once, inside the connection's
 * own set-up, and what was judged is what is connected to: there is no second look-up that could say otherwise (DNS
 * rebinding). One forbidden address among several forbids the name. No proxy and no redirect stands in between.
 *
 * `resolve` stands for `dns.lookup` in tests.
 */
export function createGuardedDispatchers(
  rules: WebhookRules,
  options: { connectTimeoutMs: number; resolve?: LookupFunction },
): GuardedDispatchers {
  const { resolve = systemLookup as LookupFunction, connectTimeoutMs } = options;
  const agentFor = (protocol: 'http:' | 'https:') =>
    new Agent({
      connect: { lookup: guarded(resolve, protocol, rules), timeout: connectTimeoutMs },
      maxHeaderSize: 16 * 1024,
    });
  const [http, https] = [agentFor('http:'), agentFor('https:')];
  return {
    for: (protocol) => (protocol === 'http:' ? http : https),
    async close() {
      // A receiver that hangs would hold a gentle close for ever.
      await Promise.all([http.destroy(), https.destroy()]);
    },
  };
}

function guarded(resolve: LookupFunction, protocol: 'http:' | 'https:', rules: WebhookRules): LookupFunction {
  return (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, found, family) => {
      if (error !== null) return done(error, '');
      const addresses = typeof found === 'string' ? [{ address: found, family: family ?? 4 }] : found;
      for (const { address } of addresses) {
        const reason = addressRefusal(host, address, protocol, rules);
        if (reason !== null) return done(new BlockedAddress(reason), '');
      }
      const [first] = addresses;
      if (first === undefined) {
        done(Object.assign(new Error(`${host} has no address`), { code: 'ENOTFOUND' }), '');
      } else if (options.all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
}
