import { webhookSecret } from '@vortex/contracts';
import { describe, expect, it } from 'vitest';
import { derivedWebhookSecret, newWebhookSecret, signWebhook } from './webhook-secret.ts';

describe('signWebhook', () => {
  it('signs like the reference libraries of Standard Webhooks', () => {
    const message = {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestamp: 1_614_265_330,
      body: '{"test": 2432232314}',
    };
    const expected = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
    expect(signWebhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', message)).toBe(expected);
    expect(signWebhook('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', message)).toBe(expected);
    expect(signWebhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', { ...message, timestamp: 1 })).not.toBe(
      expected,
    );
  });
});

describe('secrets', () => {
  it('are of the form the API takes, and no two are alike', () => {
    const [one, other] = [newWebhookSecret(), newWebhookSecret()];
    expect(webhookSecret.parse(one)).toBe(one);
    expect(one).not.toBe(other);
  });

  it('of an address follow from key, tenant and address, and from nothing less', () => {
    const key = 'ab'.repeat(32);
    const secret = derivedWebhookSecret(key, 'default', 'https://example.com/a');
    expect(webhookSecret.parse(secret)).toBe(secret);
    expect(derivedWebhookSecret(key, 'default', 'https://example.com/a')).toBe(secret);
    const others = [
      derivedWebhookSecret('cd'.repeat(32), 'default', 'https://example.com/a'),
      derivedWebhookSecret(key, 'other', 'https://example.com/a'),
      derivedWebhookSecret(key, 'default', 'https://example.com/b'),
    ];
    expect(new Set([secret, ...others]).size).toBe(4);
  });
});
