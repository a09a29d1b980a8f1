/** Where a metric is counted: the processes of a stack whose `/metrics` show it. */
export const meteredServices = ['gateway', 'encoder', 'retriever', 'llm-generator', 'ingest'] as const;
export type MeteredService = (typeof meteredServices)[number];
export const workers = ['encoder', 'retriever', 'llm-generator', 'ingest'] as const;

/**
 * What a label may say. A list is closed: another value does not compile. Where the values come from the installation
 * (the addresses of its replicas), it is said in words what bounds them.
 */
export type LabelValues = readonly string[] | { readonly boundedBy: string };

export interface MetricRow {
  kind: 'counter' | 'gauge' | 'histogram';
  services: readonly MeteredService[];
  labels: Readonly<Record<string, LabelValues>>;
  buckets?: readonly number[];
  /** Observations bring the id of their trace, which OpenMetrics shows beside the bucket. */
  exemplars?: true;
  help: string;
}

/**
 * Buckets. An edge stands at every threshold that an alert or an objective uses, because quantiles are interpolated
 * inside a bucket: 0.5, 1, 2 and 5 s of a query, 30 s of a wait, 300 s until a document is found.
 */
export const buckets = {
  latency: [0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 30, 60],
  quick: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  /** Fewer, because every route has them. */
  http: [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 60],
  firstToken: [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10],
  perToken: [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5],
  tokens: [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536],
  count: [0, 1, 2, 5, 10, 20, 50, 100],
  score: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
  freshness: [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600],
  ingest: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1800],
} as const;
