import { dashboard, graph, quantiles, ratesBy, stat } from './panels.ts';

/** Whether answers are good, as far as the server can tell. */
export const answers = dashboard({
  uid: 'vortex-answers',
  title: 'Vortex / 4 Retrieval and answers',
  description: 'What is found, what of it reaches the prompt, what answers cite, what caches save.',
  rows: [
    {
      title: 'Retrieval',
      panels: [
        stat({
          title: 'Searches that find nothing',
          description: 'Share with nothing above the relevance floor, of an hour.',
          unit: 'percentunit',
          expr: 'sum(rate(rag_retrieval_empty_total{$own}[1h])) / sum(rate(rag_stage_duration_seconds_count{$own, stage="retrieve"}[1h]))',
          bounds: { doubtful: 0.05, bad: 0.2 },
          decimals: 1,
        }),
        stat({
          title: 'Answers that cite',
          description: 'Share with at least one citation that points to a passage, of an hour.',
          unit: 'percentunit',
          expr: 'sum(rate(rag_answers_total{$own, grounding="cited"}[1h])) / sum(rate(rag_answers_total{$own}[1h]))',
          bounds: { doubtful: 0.9, bad: 0.7 },
          decimals: 1,
        }),
        stat({
          title: 'Citations invented',
          description: 'Share of marks that point to no passage and were removed, of an hour.',
          unit: 'percentunit',
          expr: 'sum(rate(rag_answer_checks_total{$own, result="removed"}[1h])) / sum(rate(rag_answer_checks_total{$own}[1h]))',
          bounds: { doubtful: 0.02, bad: 0.1 },
          decimals: 1,
        }),
        stat({
          title: 'Answers from the cache',
          description: 'Share of look-ups that hit, of an hour.',
          unit: 'percentunit',
          expr: 'sum(rate(rag_cache_lookups_total{$own, cache="answer", result="hit"}[1h])) / sum(rate(rag_cache_lookups_total{$own, cache="answer"}[1h]))',
          decimals: 1,
        }),
        stat({
          title: 'Cache there',
          description: '1 while the cache Redis answers in time, in every process.',
          unit: 'short',
          expr: 'min(rag_cache_available{$own})',
          bounds: { doubtful: 0.9, bad: 0.5 },
        }),
        stat({
          title: 'Cache entries',
          description: 'Keys in the cache Redis, all kinds together.',
          unit: 'short',
          expr: 'max(rag_cache_entries{$own})',
        }),
        graph({
          title: 'Hits of a search',
          description: 'Mean number by vectors, by words, and fused.',
          unit: 'short',
          queries: [
            {
              expr: 'sum by (index) (rate(rag_retrieval_candidates_sum{$own}[$__rate_interval])) / sum by (index) (rate(rag_retrieval_candidates_count{$own}[$__rate_interval]))',
              legend: '{{index}}',
            },
          ],
        }),
        graph({
          title: 'Best cosine',
          description: 'Of each search. When it sinks, questions and documents drift apart.',
          unit: 'none',
          queries: quantiles('rag_retrieval_top_score'),
          max: 1,
        }),
        graph({
          title: 'Searches with nothing above the floor',
          description: 'By way of searching.',
          unit: 'ops',
          queries: [ratesBy('index', 'rag_retrieval_empty_total')],
        }),
      ],
    },
    {
      title: 'Answers',
      panels: [
        graph({
          title: 'Tokens of passages in a prompt',
          description: 'What the model is given to read.',
          unit: 'short',
          queries: quantiles('rag_context_tokens'),
        }),
        graph({
          title: 'Grounding',
          description: 'Answers with at least one citation, and with none.',
          unit: 'ops',
          queries: [ratesBy('grounding', 'rag_answers_total')],
          stacked: true,
        }),
        graph({
          title: 'Citations',
          description: 'Kept, and removed because they point to nothing.',
          unit: 'ops',
          queries: [ratesBy('result', 'rag_answer_checks_total')],
          stacked: true,
        }),
      ],
    },
    {
      title: 'Caches and encoder',
      panels: [
        graph({
          title: 'Look-ups by result',
          description: 'Of all caches; stale is there, but of older documents or settings.',
          unit: 'ops',
          queries: [
            {
              expr: 'sum by (cache, result) (rate(rag_cache_lookups_total{$own}[$__rate_interval]))',
              legend: '{{cache}} {{result}}',
            },
          ],
        }),
        graph({
          title: 'Commands that came to nothing',
          description: 'late, away, refused, too large. None of them fails a question.',
          unit: 'ops',
          queries: [ratesBy('cause', 'rag_cache_errors_total')],
        }),
        graph({
          title: 'Texts encoded',
          description: 'Questions (interactive) and documents (low); truncated ones lost their end.',
          unit: 'ops',
          queries: [
            {
              expr: 'sum by (priority, result) (rate(rag_embedding_texts_total{$own}[$__rate_interval]))',
              legend: '{{priority}} {{result}}',
            },
          ],
        }),
        graph({
          title: 'Questions that shared an answer',
          description: 'They waited for the answer to an identical one instead of running themselves.',
          unit: 'ops',
          queries: [
            {
              expr: 'sum(rate(api_gateway_shared_queries_total{$own}[$__rate_interval]))',
              legend: 'shared',
            },
          ],
        }),
        graph({
          title: 'Latency, cache apart',
          description: 'P95 of answers that were kept, shared, or made.',
          unit: 's',
          queries: [
            {
              expr: 'histogram_quantile(0.95, sum by (cache, le) (rate(api_gateway_query_latency_seconds_bucket{$own, outcome=~"ok|degraded|refused"}[$__rate_interval])))',
              legend: '{{cache}}',
            },
          ],
          width: 16,
        }),
      ],
    },
  ],
});
