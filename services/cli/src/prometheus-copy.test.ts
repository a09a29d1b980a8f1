import { describe, expect, it } from 'vitest';
import { withRealAddresses } from './prometheus-copy.ts';

const addresses = [
  { service: 'gateway', url: 'http://127.0.0.1:8000/readyz' },
  { service: 'llm-generator', url: 'http://127.0.0.1:21001/readyz' },
  { service: 'llm-generator', url: 'http://127.0.0.1:21002/readyz' },
];

describe('withRealAddresses', () => {
  it('replaces our hosts and leaves the others', () => {
    const text = [
      '      - targets: ["gateway:8000"]',
      '      - targets: ["llm-generator-1:9100", "llm-generator-2:9100", "llm-generator-3:9100"]',
      '      - targets: [llm_generator_1:9100]',
      '      - targets: ["node-exporter:9100"]',
    ].join('\n');
    expect(withRealAddresses(text, addresses).split('\n')).toEqual([
      "      - targets: ['127.0.0.1:8000']",
      "      - targets: ['127.0.0.1:21001', '127.0.0.1:21002']",
      "      - targets: ['127.0.0.1:21001', '127.0.0.1:21002']",
      '      - targets: ["node-exporter:9100"]',
    ]);
  });
});
