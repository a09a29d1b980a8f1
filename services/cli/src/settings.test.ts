import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandProblem } from './problem.ts';
import { checkSettings, parseSets } from './settings.ts';

let confDir: string;
beforeEach(() => {
  confDir = mkdtempSync(join(tmpdir(), 'vortex-conf-'));
});
afterEach(() => rmSync(confDir, { recursive: true }));

describe('parseSets', () => {
  it('says them as the environment does, values untouched', () => {
    expect(parseSets(['mock_llm.latency_ms=250', 'llm.model=a=b c'])).toEqual({
      environment: { VORTEX__MOCK_LLM__LATENCY_MS: '250', VORTEX__LLM__MODEL: 'a=b c' },
      problems: [],
    });
  });

  it('names what was probably meant, and the option that owns a setting', () => {
    const { environment, problems } = parseSets(['retrieval.topk=3', 'http.port=1', 'nonsense']);
    expect(environment).toEqual({});
    expect(problems).toEqual([
      expect.stringContaining('did you mean retrieval.top_k?'),
      expect.stringContaining('set by --port'),
      expect.stringContaining('section.key=value'),
    ]);
  });
});

describe('checkSettings', () => {
  it('gives every service what was set, and keeps its own names out of it', () => {
    const env = {
      PATH: '/bin',
      PORT: '1',
      VORTEX__HTTP__PORT: '2',
      WORKER_NAME: 'x',
      HF_ENDPOINT: 'http://m',
    };
    const { environment, settings } = checkSettings(['retrieval.top_k=9'], env, confDir);
    expect(environment).toEqual({ PATH: '/bin', HF_ENDPOINT: 'http://m', VORTEX__RETRIEVAL__TOP_K: '9' });
    expect(settings.retriever.retrieval.top_k).toBe(9);
    expect(settings.encoder.embedding.hf_endpoint).toBe('http://m');
  });

  it('lists every problem of every source once', () => {
    writeFileSync(join(confDir, 'retriever.yaml'), 'retrieval:\n  topk: 3\n');
    const env = { VORTEX__NOPE__X: '1', LOG_LEVEL: 'loud' };
    try {
      checkSettings(['oops', 'retrieval.top_k=many'], env, confDir);
      expect.unreachable('four problems were passed over');
    } catch (error) {
      if (!(error instanceof CommandProblem)) throw error;
      expect(error.exitCode).toBe(2);
      expect([...error.ways].sort()).toEqual([
        expect.stringMatching(/^--set oops: /),
        expect.stringMatching(/^--set retrieval\.top_k: .*number/),
        expect.stringMatching(/^log\.level: .*\(from LOG_LEVEL\)/),
        expect.stringMatching(/^nope\.x: .*\(from VORTEX__NOPE__X\)/),
        expect.stringMatching(/^retrieval\.topk: .*\(from conf\/retriever\.yaml\)/),
      ]);
    }
  });
});
