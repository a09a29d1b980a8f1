// One piece: a table, a request after the other.

/**
 * What an attacker writes on a bare connection to the gateway, and what it may hear. Every refusal is a problem
 * document; `closed` says that the connection may also end without a word. Nothing here may reach a queue, and nothing
 * may be answered with a 5xx.
 */
export interface HostileRequest {
  name: string;
  /** Made when it is sent: some are megabytes. */
  bytes(): string | Buffer;
  /** Status of the first answer. */
  statuses: readonly number[];
  /** It may as well be cut off, or be left waiting for the rest that it has announced. */
  closed?: boolean;
  /** So many answers, when every request of a pipeline is owed one. */
  answers?: number;
}

const crlf = '\r\n';
const request = (line: string, headers: readonly string[], body: string | Buffer = '') =>
  Buffer.concat([
    Buffer.from([line, 'Host: 127.0.0.1', ...headers, '', ''].join(crlf), 'latin1'),
    Buffer.isBuffer(body) ? body : Buffer.from(body),
  ]);
const get =
  (path: string, ...headers: string[]) =>
  () =>
    request(`GET ${path} HTTP/1.1`, [...headers, 'Connection: close']);
const postHead = (path: string, ...headers: string[]) =>
  request(`POST ${path} HTTP/1.1`, ['Content-Type: application/json', ...headers]);
/** Complete, with the length it has. */
const post =
  (path: string, body: () => string | Buffer, ...headers: string[]) =>
  () => {
    const bytes = body();
    return request(
      `POST ${path} HTTP/1.1`,
      [
        ...(headers.some((header) => /^content-type:/i.test(header))
          ? []
          : ['Content-Type: application/json']),
        `Content-Length: ${Buffer.byteLength(bytes)}`,
        'Connection: close',
        ...headers,
      ],
      bytes,
    );
  };
const ask = (body: string | Buffer) => post('/query', () => body);
const question = '{"query":"a"}';
const raw = (...lines: string[]) => [...lines, '', ''].join(crlf);
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}${crlf}${text}${crlf}`;
const chunkedHead = postHead('/query', 'Transfer-Encoding: chunked', 'Connection: close').toString();
const multipart = 'Content-Type: multipart/form-data; boundary=b';
const megabyte = 1024 * 1024;

const lengths: HostileRequest[] = [
  {
    name: 'a length that is longer than the body',
    bytes: () => `${postHead('/query', 'Content-Length: 900')}${question}`,
    statuses: [408],
    closed: true,
  },
  {
    name: 'a length that is shorter than the body',
    bytes: () => `${postHead('/query', 'Content-Length: 5')}${question}`,
    statuses: [400],
  },
  {
    name: 'a length of a terabyte',
    bytes: () => postHead('/query', `Content-Length: ${2 ** 40}`),
    statuses: [413],
  },
  {
    name: 'a length beyond 64 bits',
    bytes: () => postHead('/query', `Content-Length: ${'9'.repeat(40)}`),
    statuses: [400],
  },
  { name: 'a length in letters', bytes: () => postHead('/query', 'Content-Length: many'), statuses: [400] },
  {
    name: 'a length in hexadecimal',
    bytes: () => postHead('/query', 'Content-Length: 0x10'),
    statuses: [400],
  },
  {
    name: 'a length below zero',
    bytes: () => postHead('/query', 'Content-Length: -1'),
    statuses: [400],
  },
  {
    name: 'two lengths',
    bytes: () => postHead('/query', 'Content-Length: 13', 'Content-Length: 14'),
    statuses: [400],
  },
  {
    name: 'a list of lengths',
    bytes: () => postHead('/query', 'Content-Length: 13, 13'),
    statuses: [400],
  },
  {
    name: 'a length beside chunks, with a request smuggled behind',
    bytes: () =>
      `${postHead('/query', 'Content-Length: 4', 'Transfer-Encoding: chunked')}0${crlf}${crlf}${raw('DELETE /api/collections/vortex-docs HTTP/1.1', 'Host: 127.0.0.1')}`,
    statuses: [400],
  },
  {
    name: 'an unknown coding of the transfer',
    bytes: () => `${postHead('/query', 'Transfer-Encoding: xchunked')}${chunk(question)}0${crlf}${crlf}`,
    statuses: [400],
  },
  {
    name: 'chunked twice',
    bytes: () =>
      `${postHead('/query', 'Transfer-Encoding: chunked, identity')}${chunk(question)}0${crlf}${crlf}`,
    statuses: [400],
  },
  { name: 'a body without a length', bytes: () => `${postHead('/query')}${question}`, statuses: [400, 415] },
];

const chunks: HostileRequest[] = [
  {
    name: 'a chunk of 2^64 bytes',
    bytes: () => `${chunkedHead}ffffffffffffffff${crlf}x`,
    statuses: [400, 408, 413],
    closed: true,
  },
  {
    name: 'a chunk size of a megabyte of zeros',
    bytes: () => `${chunkedHead}${'0'.repeat(megabyte)}1${crlf}x`,
    statuses: [400, 408, 413],
    closed: true,
  },
  {
    name: 'a chunk size that is no number',
    bytes: () => `${chunkedHead}zz${crlf}${question}${crlf}0${crlf}${crlf}`,
    statuses: [400],
  },
  {
    name: 'a chunk longer than it says',
    bytes: () => `${chunkedHead}2${crlf}${question}${crlf}0${crlf}${crlf}`,
    statuses: [400],
  },
  {
    name: 'a hundred thousand chunks of a byte',
    bytes: () =>
      `${chunkedHead}${chunk('"').repeat(1)}${chunk('a').repeat(100_000)}${chunk('"')}0${crlf}${crlf}`,
    statuses: [422],
  },
  {
    name: 'two megabytes in chunks',
    bytes: () => `${chunkedHead}${chunk('x'.repeat(64 * 1024)).repeat(32)}0${crlf}${crlf}`,
    statuses: [413],
  },
  {
    name: 'an extension of a megabyte behind a chunk size',
    bytes: () => `${chunkedHead}1;${'e'.repeat(megabyte)}${crlf}x${crlf}0${crlf}${crlf}`,
    statuses: [400, 413],
    closed: true,
  },
  {
    name: 'trailers without end',
    bytes: () =>
      `${chunkedHead}${chunk(question)}0${crlf}${`X-T: ${'t'.repeat(1000)}${crlf}`.repeat(100)}${crlf}`,
    statuses: [400, 431],
    closed: true,
  },
  {
    name: 'chunks that break off',
    bytes: () => `${chunkedHead}ff${crlf}{"query":`,
    statuses: [408],
    closed: true,
  },
];

const heads: HostileRequest[] = [
  {
    name: 'a header of a megabyte',
    bytes: get('/healthz', `X-Long: ${'x'.repeat(megabyte)}`),
    statuses: [431],
  },
  {
    name: 'ten thousand headers',
    bytes: get('/healthz', ...Array.from({ length: 10_000 }, (_, at) => `X-${at}: ${at}`)),
    statuses: [431],
  },
  { name: 'an address of a megabyte', bytes: get(`/${'a'.repeat(megabyte)}`), statuses: [414, 431] },
  { name: 'an address of 10 kB', bytes: get(`/healthz?${'a'.repeat(10_000)}`), statuses: [414] },
  {
    name: 'a thousand parameters',
    bytes: get(`/api/documents?${Array.from({ length: 1000 }, (_, at) => `p${at}=1`).join('&')}`),
    statuses: [422],
  },
  { name: 'a null byte in a header', bytes: get('/healthz', 'X-Null: a\0b'), statuses: [400] },
  { name: 'a null byte in the address', bytes: get('/health\0z'), statuses: [400] },
  { name: 'an encoded null byte in the address', bytes: get('/api/documents/%00'), statuses: [404] },
  { name: 'raw bytes in the address', bytes: get('/api/documents/\xff\xfe'), statuses: [400, 404] },
  { name: 'encoded bytes that are no UTF-8', bytes: get('/api/documents/%ff%fe'), statuses: [400, 404] },
  { name: 'an escape that is none', bytes: get('/api/documents/%zz'), statuses: [400, 404] },
  { name: 'a path that climbs', bytes: get('/docs/../../../etc/passwd'), statuses: [404] },
  {
    name: 'a path that climbs in escapes',
    bytes: get('/docs/%2e%2e%2f%2e%2e%2fpackage.json'),
    statuses: [404],
  },
  { name: 'a backslash in the path', bytes: get('\\\\evil\\x'), statuses: [400, 404] },
  { name: 'another host as target', bytes: get('http://evil.example/healthz'), statuses: [200, 400, 404] },
  { name: 'a header that is folded', bytes: get('/healthz', 'X-Fold: a\r\n b'), statuses: [200, 400] },
  { name: 'a header without a name', bytes: get('/healthz', ': value'), statuses: [400] },
  { name: 'a space before the colon', bytes: get('/healthz', 'X-A : b'), statuses: [400] },
  {
    name: 'two hosts',
    bytes: () => raw('GET /healthz HTTP/1.1', 'Host: localhost', 'Host: evil.example', 'Connection: close'),
    statuses: [200, 400],
  },
  { name: 'no host', bytes: () => raw('GET /healthz HTTP/1.1'), statuses: [400] },
  { name: 'a host that is none', bytes: () => raw('GET /healthz HTTP/1.1', 'Host: a b/c'), statuses: [400] },
  {
    name: 'lines that end in LF alone',
    bytes: () => 'GET /healthz HTTP/1.1\nHost: localhost\n\n',
    statuses: [400],
  },
];

const protocols: HostileRequest[] = [
  { name: 'HTTP/0.9', bytes: () => `GET /healthz${crlf}${crlf}`, statuses: [200, 400] },
  {
    name: 'HTTP/2',
    bytes: () => `PRI * HTTP/2.0${crlf}${crlf}SM${crlf}${crlf}`,
    statuses: [400],
    closed: true,
  },
  { name: 'HTTP/9.9', bytes: () => raw('GET /healthz HTTP/9.9', 'Host: localhost'), statuses: [400, 505] },
  { name: 'a TLS hello', bytes: () => Buffer.from('16030100c8010000c40303', 'hex'), statuses: [400] },
  {
    name: 'bytes of nothing',
    bytes: () => Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 73) % 256)),
    statuses: [400],
  },
  { name: 'a Redis command', bytes: () => `*1${crlf}$8${crlf}FLUSHALL${crlf}`, statuses: [400] },
  {
    name: 'a method of its own',
    bytes: () => raw('STEAL /query HTTP/1.1', 'Host: localhost'),
    statuses: [400],
  },
  {
    name: 'TRACE',
    bytes: () => raw('TRACE /query HTTP/1.1', 'Host: localhost', 'Connection: close'),
    statuses: [404, 405],
  },
  {
    name: 'a tunnel',
    bytes: () => raw('CONNECT 169.254.169.254:80 HTTP/1.1', 'Host: localhost'),
    statuses: [405],
  },
  {
    name: 'an upgrade',
    bytes: get('/query', 'Upgrade: websocket', 'Sec-WebSocket-Key: eA==', 'Sec-WebSocket-Version: 13'),
    statuses: [405],
  },
  {
    name: 'a thousand requests at once',
    bytes: () =>
      Buffer.concat([
        Buffer.from(raw('GET /healthz HTTP/1.1', 'Host: localhost').repeat(999)),
        get('/healthz')(),
      ]),
    statuses: [200],
    answers: 1000,
  },
  {
    name: 'a hundred refusals at once, and garbage',
    bytes: () => `${`${postHead('/query', 'Content-Length: 2')}{}`.repeat(100)}\0\0\0`,
    statuses: [422],
  },
  {
    name: 'a body that was to be asked for',
    bytes: () => postHead('/query', 'Expect: 100-continue', 'Content-Length: 99000000000'),
    statuses: [413],
  },
];

const bodies: HostileRequest[] = [
  {
    name: 'invalid UTF-8 in JSON',
    bytes: ask(Buffer.from('7b227175657279223a22ff fe227d'.replace(' ', ''), 'hex')),
    statuses: [400],
  },
  {
    name: 'overlong UTF-8 in JSON',
    bytes: ask(Buffer.from('7b227175657279223a22c0af227d', 'hex')),
    statuses: [400],
  },
  { name: 'a null byte in JSON', bytes: ask('{"query":"a\0b"}'), statuses: [400] },
  { name: 'UTF-16', bytes: ask(Buffer.from(question, 'utf16le')), statuses: [400] },
  { name: 'a megabyte of brackets', bytes: ask('['.repeat(megabyte - 1)), statuses: [400] },
  {
    name: 'a few hundred levels',
    bytes: ask(`{"query":"a","filter":${'{"not":'.repeat(200)}{}${'}'.repeat(200)}}`),
    statuses: [400, 422],
  },
  { name: 'a million empty objects', bytes: ask(`[${'{},'.repeat(300_000)}{}]`), statuses: [400] },
  {
    name: 'a number of 100,000 digits',
    bytes: ask(`{"query":"a","top_k":${'9'.repeat(100_000)}}`),
    statuses: [400, 422],
  },
  { name: 'an infinite number', bytes: ask('{"query":"a","top_k":1e999}'), statuses: [422] },
  { name: 'a prototype', bytes: ask('{"query":"a","__proto__":{"admin":true}}'), statuses: [422] },
  {
    name: 'a constructor',
    bytes: ask('{"query":"a","constructor":{"prototype":{"admin":true}}}'),
    statuses: [422],
  },
  { name: 'the same field twice', bytes: ask('{"query":"a","query":7}'), statuses: [422] },
  {
    name: 'half a pair of surrogates as a name',
    bytes: ask('{"query":"a","collection":"\\ud83d"}'),
    statuses: [422],
  },
  { name: 'a query of 900 kB', bytes: ask(`{"query":"${'a'.repeat(900_000)}"}`), statuses: [422] },
  {
    name: 'gzip',
    bytes: post('/query', () => Buffer.from('1f8b0800', 'hex'), 'Content-Encoding: gzip'),
    statuses: [415],
  },
  {
    name: 'a form',
    bytes: post('/query', () => 'query=a', 'Content-Type: application/x-www-form-urlencoded'),
    statuses: [415],
  },
  {
    name: 'XML',
    bytes: post(
      '/query',
      () => '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
      'Content-Type: application/xml',
    ),
    statuses: [415],
  },
  {
    name: 'a webhook at the metadata service',
    bytes: post('/api/webhooks', () => '{"url":"http://169.254.169.254/latest/meta-data/"}'),
    statuses: [422],
  },
  {
    name: 'a webhook in hexadecimal',
    bytes: post('/api/webhooks', () => '{"url":"https://0x7f000001/"}'),
    statuses: [422],
  },
  {
    name: 'multipart without a boundary',
    bytes: post('/api/documents/upload', () => 'x', 'Content-Type: multipart/form-data'),
    statuses: [400, 415],
  },
  {
    name: 'ten thousand parts',
    bytes: post(
      '/api/documents/upload',
      () =>
        `${`--b${crlf}Content-Disposition: form-data; name="x"${crlf}${crlf}y${crlf}`.repeat(10_000)}--b--${crlf}`,
      multipart,
    ),
    statuses: [400, 413, 422],
  },
  {
    name: 'a part whose header does not end',
    bytes: post(
      '/api/documents/upload',
      () => `--b${crlf}Content-Disposition: form-data; name="${'x'.repeat(500_000)}`,
      multipart,
    ),
    statuses: [400, 413, 422],
  },
  {
    name: 'a part that does not end',
    bytes: post(
      '/api/documents/upload',
      () => `--b${crlf}Content-Disposition: form-data; name="file"; filename="a.txt"${crlf}${crlf}text`,
      multipart,
    ),
    statuses: [400],
  },
];

const readers: HostileRequest[] = [
  {
    name: 'a hundred ranges',
    bytes: get(
      '/openapi.json',
      `Range: bytes=${Array.from({ length: 100 }, (_, at) => `${at}-${at}`).join(',')}`,
    ),
    statuses: [200],
  },
  {
    name: 'media types without end',
    bytes: get('/metrics', `Accept: ${'a/b;q=0.1,'.repeat(1000)}*/*`),
    statuses: [200, 401],
  },
];

export const hostileRequests: readonly HostileRequest[] = [
  ...lengths,
  ...chunks,
  ...heads,
  ...protocols,
  ...bodies,
  ...readers,
];
