/** What all three systems of the chain bench carry: a kilobyte of question, a short vector, one answer. */
export const payloadBytes = 1024;
export const question = 'What does the bench carry? '.padEnd(payloadBytes, 'x');

/** Base64 of two float32; real vectors weigh the same in every system, so a short one shows more of the queue. */
export const vector = 'AACAPwAAAAA=';

export const answer = {
  answered: true,
  answer: 'A no-op stage answers this.',
  refusal: null,
  citations: [],
  sources: [],
  worker: 'bench',
  replica: null,
  model: null,
  collection: 'default',
  degraded: [],
  usage: { prompt_tokens: null, completion_tokens: null },
};

export type ChainSystem = 'vortex' | 'bullmq' | 'bare';
export const chainSystems: readonly ChainSystem[] = ['vortex', 'bullmq', 'bare'];

/** Slots per stage and in-flight limit per BullMQ worker: above what is ever in flight. */
export const slotsPerStage = 64;
export const stageLists = ['job:encoder_in', 'job:retriever_in', 'job:llm_in'] as const;
