import type { Source } from '@vortex/contracts';

/** Sources by chunk id, in the prompt's order; those left out of the prompt follow, as retrieval orders them. */
export function sourcesFor(used: readonly string[], leftOut: readonly string[] = []): Source[] {
  return [...used, ...leftOut].map((id, index) => ({
    chunk_id: id,
    document_id: `doc_${id}`,
    title: `Title of ${id}`,
    heading_path: ['Part', id],
    page: null,
    source_span: [index * 100, index * 100 + 10],
    excerpt: `Text of ${id}.`,
    score: 0.5,
    rank: index + 1,
    used_in_prompt: index < used.length,
  }));
}
