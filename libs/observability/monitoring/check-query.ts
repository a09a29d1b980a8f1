import type { KnownSeries } from './known-series.ts';
import { type ParsedQuery, parseQuery, type Selector } from './query.ts';

/**
 * What is wrong with a query: no PromQL, a metric nobody shows, a label it does not have, a value that label never
 * takes. Each would draw an empty panel, or an alert that never fires.
 */
export function checkQuery(query: string, known: KnownSeries): string[] {
  const parsed = parseQuery(query);
  return [
    ...parsed.problems,
    ...parsed.selectors.flatMap((selector) => checkSelector(selector, known)),
    ...checkGroupings(parsed, known),
  ];
}

function checkSelector({ metric, matchers }: Selector, known: KnownSeries): string[] {
  const labels = known.get(metric);
  if (labels === undefined) return [`nobody shows ${metric === '' ? 'a metric without a name' : metric}`];
  return matchers.flatMap(({ label, operator, value }) => {
    const values = labels[label];
    if (values === undefined) return [`${metric} has no label ${label}`];
    if (values === null || value.includes('$')) return [];
    const asked = operator.includes('~') ? value.split('|') : [value];
    const isPlain = asked.every((one) => /^[\w:+.-]+$/.test(one));
    const strange = isPlain ? asked.filter((one) => !values.includes(one)) : [];
    return strange.map((one) => `${label} of ${metric} is never ${one}`);
  });
}

function checkGroupings({ selectors, groupings }: ParsedQuery, known: KnownSeries): string[] {
  const there = new Set(selectors.flatMap(({ metric }) => Object.keys(known.get(metric) ?? {})));
  return groupings.filter((label) => !there.has(label)).map((label) => `nothing here has a label ${label}`);
}
