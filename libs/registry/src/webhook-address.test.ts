import { describe, expect, it } from 'vitest';
import { addressRefusal, formRefusal, readWebhookRules } from './webhook-address.ts';

const none = readWebhookRules([]);
const form = (url: string, allow: string[] = []) => formRefusal(url, readWebhookRules(allow));

describe('formRefusal', () => {
  it.each([
    'https://example.com/hook',
    'https://example.com:8443/hook?x=1',
    'https://93.184.216.34/',
    'https://[2606:4700:4700::1111]/',
    'https://example.com:80/',
  ])('takes %s', (url) => {
    expect(form(url)).toBeNull();
  });

  it.each([
    ['http://example.com/', /not https/],
    ['http://93.184.216.34/', /not https/],
    ['ftp://example.com/', /only https/],
    ['not a url', /no URL/],
    ['https://user@example.com/', /user and password/],
    ['https://:secret@example.com/', /user and password/],
    ['https://example.com:25/', /port 25/],
    ['https://example.com:6/', /port 6/],
    ['https://127.0.0.1/', /127\.0\.0\.1 is not a public/],
    ['https://localhost/', /localhost is not a public/],
    ['https://a.localhost./', /localhost is not a public/],
    // Odd spellings of the same address: the URL parser reads them all, and so would a resolver.
    ['https://0x7f000001/', /127\.0\.0\.1/],
    ['https://2130706433/', /127\.0\.0\.1/],
    ['https://127.1/', /127\.0\.0\.1/],
    ['https://0177.0.0.1/', /127\.0\.0\.1/],
    ['https://%31%32%37.0.0.1/', /127\.0\.0\.1/],
    ['https://①②⑦.0.0.1/', /127\.0\.0\.1/],
    ['https://0/', /0\.0\.0\.0/],
    ['https://10.1.2.3/', /not a public/],
    ['https://172.16.0.1/', /not a public/],
    ['https://192.168.1.1/', /not a public/],
    ['https://169.254.169.254/latest/meta-data/', /not a public/],
    ['https://100.64.0.1/', /not a public/],
    ['https://198.18.0.1/', /not a public/],
    ['https://192.0.2.1/', /not a public/],
    ['https://224.0.0.1/', /not a public/],
    ['https://255.255.255.255/', /not a public/],
    ['https://[::1]/', /not a public/],
    ['https://[::]/', /not a public/],
    ['https://[::127.0.0.1]/', /not a public/],
    ['https://[::ffff:127.0.0.1]/', /not a public/],
    ['https://[::ffff:93.184.216.34]/', /not a public/],
    ['https://[64:ff9b::7f00:1]/', /not a public/],
    ['https://[64:ff9b:1::1]/', /not a public/],
    ['https://[2002:7f00:1::]/', /not a public/],
    ['https://[2001:0:7f00:1::]/', /not a public/],
    ['https://[2001:db8::1]/', /not a public/],
    ['https://[fe80::1]/', /not a public/],
    ['https://[fec0::1]/', /not a public/],
    ['https://[fd00:ec2::254]/', /not a public/],
    ['https://[ff02::1]/', /not a public/],
    ['https://[4000::1]/', /not a public/],
  ])('refuses %s', (url, reason) => {
    expect(form(url)).toMatch(reason);
  });

  it('takes what is listed: a host, an address, a network, each also by http and on any port', () => {
    expect(form('http://hooks.internal:25/', ['hooks.internal'])).toBeNull();
    expect(form('http://HOOKS.internal./', ['Hooks.Internal'])).toBeNull();
    expect(form('http://127.0.0.1:9/', ['127.0.0.1'])).toBeNull();
    expect(form('http://2130706433/', ['127.0.0.1'])).toBeNull();
    expect(form('http://10.9.8.7/', ['10.0.0.0/8'])).toBeNull();
    expect(form('http://[fd00::7]/', ['fd00::/8'])).toBeNull();
    expect(form('http://[::1]:8080/', ['[::1]'])).toBeNull();
    expect(form('http://localhost:8080/', ['127.0.0.1'])).toBeNull();
  });

  it('does not stretch what is listed', () => {
    expect(form('https://11.0.0.1.example.com/', ['10.0.0.0/8'])).toBeNull();
    expect(form('https://127.0.0.2/', ['127.0.0.1'])).toMatch(/not a public/);
    expect(form('https://[::ffff:127.0.0.1]/', ['127.0.0.1'])).toMatch(/not a public/);
    expect(form('http://sub.hooks.internal/', ['hooks.internal'])).toMatch(/not https/);
    expect(form('https://127.0.0.1/', ['localhost'])).toMatch(/not a public/);
    expect(form('https://localhost/', ['10.0.0.0/8'])).toMatch(/not a public/);
    expect(form('http://a.example/', ['10.0.0.0/8'])).toMatch(/not https/);
  });
});

describe('addressRefusal', () => {
  const refusal = (host: string, address: string, allow: string[] = [], protocol = 'https:' as const) =>
    addressRefusal(host, address, protocol, readWebhookRules(allow));

  it('judges what a name resolved to', () => {
    expect(refusal('example.com', '93.184.216.34')).toBeNull();
    expect(refusal('example.com', '127.0.0.1')).toBe(
      'example.com is at 127.0.0.1, which is not a public address',
    );
    expect(refusal('example.com', '::ffff:10.0.0.1')).toMatch(/not a public/);
    expect(refusal('example.com', 'fe80::1%eth0')).not.toBeNull();
    expect(refusal('example.com', 'nonsense')).toMatch(/no address/);
  });

  it('lets a listed name resolve to anything, and any name into a listed network', () => {
    expect(refusal('hooks.internal', '10.0.0.1', ['hooks.internal'])).toBeNull();
    expect(refusal('anything.example', '10.0.0.1', ['10.0.0.0/8'])).toBeNull();
  });

  it('reaches by plain http only what is listed', () => {
    expect(addressRefusal('example.com', '93.184.216.34', 'http:', none)).toMatch(/not https/);
    expect(addressRefusal('a.example', '10.0.0.1', 'http:', readWebhookRules(['10.0.0.0/8']))).toBeNull();
  });
});

describe('readWebhookRules', () => {
  it.each(['10.0.0.0/99', 'http://host', 'host:80', 'a b', ''])('refuses %j', (entry) => {
    expect(() => readWebhookRules([entry])).toThrow(/webhooks\.allow/);
  });
});
