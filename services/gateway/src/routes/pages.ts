import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Exchange, textAnswer } from '../exchange.ts';
import { pathFile, textContent } from '../openapi-schemas.ts';
import { gatewayProblem } from '../problem.ts';
import { turnToWrite } from '../transport/write-in-turn.ts';

/**
 * The pages for people: a landing page with links, and Swagger UI. Everything is served from this process
 * (Swagger UI's files from the installed package), so both work without a network; no inline script, and a
 * Content-Security-Policy that would not run one.
 */
const style = [
  'body{font:16px/1.6 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#1c2733}',
  'code,pre{font-family:ui-monospace,monospace;background:#f2f5f8;border-radius:4px}',
  'code{padding:.1em .3em}pre{padding:1rem;overflow:auto}a{color:#0b5cad}',
  'dt{font-weight:600;margin-top:.6rem}dd{margin-left:0}',
].join('');

const landing = (origin: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Vortex</title>
<style>${style}</style>
</head>
<body>
<h1>Vortex</h1>
<p>Questions about your documents, answered with citations. Documents and questions flow through chained
Redis queue workers.</p>
<pre>curl -s -H 'Content-Type: application/json' \\
  -d '{"query":"Which Redis list does the retriever read from?"}' \\
  ${origin}/query</pre>
<dl>
<dt><a href="/docs">/docs</a></dt><dd>The API, to read and to try</dd>
<dt><a href="/openapi.json">/openapi.json</a></dt><dd>The same as OpenAPI 3.1</dd>
<dt><a href="/api/collections">/api/collections</a></dt><dd>Collections</dd>
<dt><a href="/api/documents">/api/documents</a></dt><dd>Documents</dd>
<dt><a href="/v1/models">/v1/models</a></dt><dd>Collections as OpenAI models</dd>
<dt><a href="/health">/health</a></dt><dd>What works and what does not</dd>
<dt><a href="/metrics">/metrics</a></dt><dd>Metrics for Prometheus</dd>
</dl>
</body>
</html>
`;

const docsPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Vortex API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/initializer.js"></script>
</body>
</html>
`;

// No validator badge: it would send the document's address to a server on the Internet.
const initializer = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  presets: [SwaggerUIBundle.presets.apis],
  layout: 'BaseLayout',
  deepLinking: true,
  validatorUrl: null,
});
`;

const styleHash = createHash('sha256').update(style).digest('base64');
const closed = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const landingPolicy = `default-src 'none'; style-src 'sha256-${styleHash}'; ${closed}`;
// Swagger UI sets style attributes and draws its icons from data: addresses.
const docsPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
  `img-src 'self' data:; connect-src 'self'; ${closed}`;

const packageFiles = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
]);

export function pageEndpoints(parts: Pick<GatewayParts, 'log'>): Endpoint[] {
  const htmlType = 'text/html; charset=utf-8';
  const caching = { 'Cache-Control': 'public, max-age=3600' };
  return [
    {
      method: 'get',
      path: '/',
      access: 'open',
      tag: 'pages',
      summary: 'Landing page',
      responses: { 200: textContent('text/html', 'A page with links.') },
      handle(context, exchange) {
        // As the browser sees us, through whatever proxy; no host that parses has a < in it.
        const { origin } = new URL(context.req.url);
        return textAnswer(exchange, landing(origin), htmlType, { 'Content-Security-Policy': landingPolicy });
      },
    },
    {
      method: 'get',
      path: '/docs',
      access: 'open',
      tag: 'pages',
      summary: 'The API to read and to try',
      responses: { 200: textContent('text/html', 'Swagger UI.') },
      handle: (_context, exchange) =>
        textAnswer(exchange, docsPage, htmlType, { 'Content-Security-Policy': docsPolicy }),
    },
    {
      method: 'get',
      path: '/docs/{file}',
      access: 'open',
      tag: 'pages',
      summary: 'Files of the API page',
      request: pathFile(['initializer.js', ...packageFiles.keys()]),
      responses: {
        200: {
          description: 'Script, style sheet or icon.',
          content: {
            'text/javascript': { schema: { type: 'string' } },
            'text/css': { schema: { type: 'string' } },
            'image/png': { schema: { type: 'string', format: 'binary' } },
          },
        },
      },
      problems: [404],
      async handle(context, exchange) {
        const file = context.req.param('file') ?? '';
        if (file === 'initializer.js') {
          return textAnswer(exchange, initializer, 'text/javascript; charset=utf-8', caching);
        }
        const contentType = packageFiles.get(file);
        if (contentType === undefined)
          throw gatewayProblem('not_found', { detail: 'There is no such file.' });
        return packageFile(parts, exchange, file, contentType, caching);
      },
    },
  ];
}

async function packageFile(
  parts: Pick<GatewayParts, 'log'>,
  exchange: Exchange,
  file: string,
  contentType: string,
  headers: Record<string, string>,
): Promise<Response> {
  try {
    const bytes = await readFile(new URL(import.meta.resolve(`swagger-ui-dist/${file}`)));
    await turnToWrite(bytes.length);
    return textAnswer(exchange, new Uint8Array(bytes), contentType, headers);
  } catch (error) {
    parts.log.error({ err: error, file }, 'a file of swagger-ui-dist cannot be read; run npm ci');
    throw gatewayProblem('not_found', { detail: 'Swagger UI is not installed; run npm ci.' });
  }
}
