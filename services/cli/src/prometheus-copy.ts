import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { repositoryRoot } from './folders.ts';

/** Where Prometheus finds something of this instance: a probe's address, a Redis, an observer. */
export interface ScrapeAddress {
  service: string;
  url: string;
}

export interface CopyOptions {
  addresses: readonly ScrapeAddress[];
  /** In place of `rule_files`, which are relative to the original. */
  ruleFiles: string;
  /** Null: as in the original. */
  intervals: { scrape: string; evaluation: string } | null;
}

/** Hosts of the compose file; what is none of these (a node exporter of yours) is left as it is. */
const ownServices = [
  ...['gateway', 'encoder', 'retriever', 'llm-generator', 'ingest', 'mock-llm'],
  ...['redis', 'cache', 'redis-exporter', 'alertmanager'],
];

/**
 * The top-level prometheus.yml with the addresses of this instance. It names compose hosts (`gateway:9100`,
 * `llm-generator-2:9100`, `llm_generator_2:9100`, `redis://redis:6379`); targets are replaced by the real ones of
 * that service. A job whose service this instance does not have goes, or it would count as down for ever.
 */
export function withRealAddresses(text: string, options: CopyOptions): string {
  const document = parseDocument(text, { merge: true });
  document.set('rule_files', [options.ruleFiles]);
  if (options.intervals !== null) {
    document.setIn(['global', 'scrape_interval'], options.intervals.scrape);
    document.setIn(['global', 'scrape_timeout'], options.intervals.scrape);
    document.setIn(['global', 'evaluation_interval'], options.intervals.evaluation);
  }
  keepIf(document.getIn(['alerting', 'alertmanagers']), (entry) => readdress(entry, options.addresses));
  keepIf(document.get('scrape_configs'), (entry) => {
    const asksItself = readdress(entry, options.addresses);
    return readdressExporter(document, entry, options.addresses) && asksItself;
  });
  return document.toString();
}

/** @throws when the checkout has no prometheus.yml */
export function prometheusCopy(options: CopyOptions): string {
  return withRealAddresses(readFileSync(join(repositoryRoot, 'prometheus.yml'), 'utf8'), options);
}

/** False when nothing is left to ask. */
function readdress(entry: YAMLMap, addresses: readonly ScrapeAddress[]): boolean {
  const groups = entry.get('static_configs');
  if (!isSeq(groups)) return true;
  keepIf(groups, (group) => {
    const targets = group.get('targets');
    if (!isSeq(targets)) return true;
    const real = targets.items.flatMap((item) =>
      realTargets(String(isScalar(item) ? item.value : item), addresses),
    );
    group.set('targets', [...new Set(real)]);
    return real.length > 0;
  });
  return groups.items.length > 0;
}

/** The exporter's own address stands in a relabelling, which two jobs may share by an anchor. */
function readdressExporter(document: Document, entry: YAMLMap, addresses: readonly ScrapeAddress[]): boolean {
  const rules = entry.get('relabel_configs', true);
  const resolved = isAlias(rules) ? rules.resolve(document) : rules;
  if (!isSeq(resolved)) return true;
  for (const rule of resolved.items) {
    if (!isMap(rule) || rule.get('target_label') !== '__address__') continue;
    const [address] = realTargets(String(rule.get('replacement')), addresses);
    if (address === undefined) return false;
    rule.set('replacement', address);
  }
  return true;
}

/** None for a service of ours that is not here; the target itself where it is nobody's of ours. */
function realTargets(target: string, addresses: readonly ScrapeAddress[]): string[] {
  const host = target.replace(/^redis:\/\//, '').split(':')[0] ?? '';
  const plain = host.replaceAll('_', '-').replace(/-\d+$/, '');
  const service = ownServices.find((name) => name === plain);
  if (service === undefined) return [target];
  return addresses
    .filter((address) => address.service === service)
    .map(({ url }) => (target.startsWith('redis://') ? url : new URL(url).host));
}

function keepIf(list: unknown, isWanted: (entry: YAMLMap) => boolean): void {
  if (!isSeq(list)) return;
  const kept = (list as YAMLSeq).items.filter((item) => !isMap(item) || isWanted(item));
  (list as YAMLSeq).items = kept;
}
