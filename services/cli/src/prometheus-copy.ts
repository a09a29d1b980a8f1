import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './folders.ts';

export interface ScrapeAddress {
  service: string;
  url: string;
}

/**
 * The top-level prometheus.yml with the addresses of this instance. It names compose hosts
 * (`gateway:8000`, `llm-generator-2:9100`, `llm_generator_2:9100`); each `[list]` of targets that names
 * one of ours is replaced by that service's real addresses.
 */
export function withRealAddresses(text: string, addresses: readonly ScrapeAddress[]): string {
  const hostsOf = (service: string) =>
    addresses
      .filter((address) => address.service === service)
      .map(({ url }) => `'${new URL(url).host}'`)
      .join(', ');
  const services = [...new Set(addresses.map(({ service }) => service))];
  const serviceOf = (target: string) => {
    const host = target.replace(/['"\s]/g, '').split(':')[0] ?? '';
    const plain = host.replaceAll('_', '-').replace(/-\d+$/, '');
    return services.find((service) => service === plain || service === host);
  };
  const replace = (targets: string): string | null => {
    const named = [
      ...new Set(
        targets
          .split(',')
          .map(serviceOf)
          .filter((service) => service !== undefined),
      ),
    ];
    return named.length === 0 ? null : `[${named.map(hostsOf).join(', ')}]`;
  };
  return text.replaceAll(/\[([^[\]]*:\d+[^[\]]*)\]/g, (whole, targets: string) => replace(targets) ?? whole);
}

/** Null when the checkout has none. */
export function writePrometheusCopy(file: string, addresses: readonly ScrapeAddress[]): string | null {
  const original = join(repositoryRoot, 'prometheus.yml');
  if (!existsSync(original)) return null;
  writeFileSync(file, withRealAddresses(readFileSync(original, 'utf8'), addresses));
  return file;
}
