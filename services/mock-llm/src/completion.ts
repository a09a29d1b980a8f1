import { extractiveAnswer } from './extractive-answer.ts';
import type { Message } from './prompt.ts';

/** An answer as both APIs need it: cut into tokens, counted, and limited as the caller asked. */
export interface Completion {
  tokens: readonly string[];
  promptTokens: number;
  /** `length` when the caller's limit cut the answer. */
  finish: 'stop' | 'length';
}

export interface Limits {
  maxTokens?: number | undefined;
  /** A stop string ends the answer and is not part of it. */
  stop?: readonly string[];
}

export function completionOf(messages: readonly Message[], limits: Limits): Completion {
  let text = extractiveAnswer(messages);
  for (const stop of limits.stop ?? []) {
    const at = stop === '' ? -1 : text.indexOf(stop);
    if (at >= 0) text = text.slice(0, at);
  }
  const tokens = tokensOf(text);
  const { maxTokens } = limits;
  // Ollama: a negative num_predict means no limit.
  const cut = maxTokens !== undefined && maxTokens >= 0 && tokens.length > maxTokens;
  return {
    tokens: cut ? tokens.slice(0, maxTokens) : tokens,
    promptTokens: countPromptTokens(messages),
    finish: cut ? 'length' : 'stop',
  };
}

/**
 * Cuts a text into what a tokenizer might send one by one: a word with the space before it, or a single
 * sign, so that a mark arrives in pieces, ` [`, `1`, `]`. Concatenated they are the text again.
 */
export function tokensOf(text: string): string[] {
  return text.match(/\s*[\p{L}\p{N}]+|\s*[^\s\p{L}\p{N}]|\s+$/gu) ?? [];
}

/** About four characters a token, as English prose has: enough for a usage figure. */
function countPromptTokens(messages: readonly Message[]): number {
  let characters = 0;
  for (const message of messages) characters += message.content.length;
  return Math.max(1, Math.ceil(characters / 4));
}
