import { describe, expect, it } from 'vitest';
import { atSpeed } from './rule-speed.ts';

describe('rules at another speed', () => {
  it('are the same text at 1', () => {
    const rules = 'for: 2m\nexpr: rate(a[5m]) > 30 and b offset 1h';
    expect(atSpeed(rules, 1)).toBe(rules);
  });

  it('look and wait in a shorter time, and compare with the same', () => {
    const rules = [
      '    interval: 1m',
      '    for: 2m',
      'expr: rate(a[5m]) > 30 and b offset 1h and c > 14.4 * 0.01',
    ];
    expect(atSpeed(rules.join('\n'), 10).split('\n')).toEqual([
      '    interval: 6s',
      '    for: 12s',
      'expr: rate(a[30s]) > 30 and b offset 360s and c > 14.4 * 0.01',
    ]);
  });

  it('predict as much nearer as they look back', () => {
    expect(atSpeed('predict_linear(a{q!~"x"}[10m], 600) > 60', 10)).toBe(
      'predict_linear(a{q!~"x"}[60s], 60) > 60',
    );
  });

  it('never look more often than a scrape comes', () => {
    expect(atSpeed('for: 30s', 60)).toBe('for: 1s');
  });
});
