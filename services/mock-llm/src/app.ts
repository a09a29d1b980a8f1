import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { type Behaviour, behaviour as behaviourSchema, type LatencyLaw, modes } from './behaviour.ts';
import { type Clock, systemClock } from './clock.ts';
import { ollamaChat, ollamaFailure, ollamaGenerate, ollamaShow, ollamaTags } from './ollama-api.ts';
import { openaiChat, openaiFailure, openaiModel } from './openai-api.ts';
import { reply, type Wire } from './reply.ts';
import { beginExchange, type TrafficCounts } from './traffic.ts';

/** What `@hono/node-server` passes beside a request; absent when a test calls the app as a function. */
export interface Bindings {
  outgoing?: { socket: { destroySoon(): void } | null };
}

export interface MockLlmOptions {
  model: string;
  law: LatencyLaw;
  clock?: Clock;
  /** Health and metrics of the process, served on every listener too. */
  probes?: Hono;
}

/** One listener's app, with its own behaviour and counts; `./vortex up` runs one per generator replica. */
export interface MockLlm {
  app: Hono<{ Bindings: Bindings }>;
  behaviour(): Behaviour;
  traffic: TrafficCounts;
}

type MockContext = Context<{ Bindings: Bindings }>;
type ApiFailure = (status: number, message: string, param?: string | null) => Response;

// Claimed for clients that ask before they talk; the routes served here have had this form since 0.1.33.
const ollamaVersion = '0.12.0';

export function createMockLlm(options: MockLlmOptions): MockLlm {
  const { model, law, clock = systemClock, probes } = options;
  const traffic: TrafficCounts = { total: 0, active: 0, aborted: 0 };
  let current: Behaviour = { mode: 'ok' };
  let nextCompletion = 0;
  const timestamp = (): string => new Date(clock.now()).toISOString();

  /** Reads the request, then answers it as the listener's behaviour says, counted in and out. */
  const completing =
    (failure: ApiFailure, wireOf: (body: unknown) => Wire) =>
    async (c: MockContext): Promise<Response> => {
      const end = beginExchange(traffic);
      let wire: Wire;
      try {
        wire = wireOf(JSON.parse(await c.req.text()));
      } catch (error) {
        end('answered');
        return refused(error, failure);
      }
      const socket = c.env?.outgoing?.socket;
      const cutConnection = socket ? () => socket.destroySoon() : undefined;
      return reply(wire, { behaviour: current, law, clock, signal: c.req.raw.signal, cutConnection, end });
    };

  const app = new Hono<{ Bindings: Bindings }>();
  app.post(
    '/api/chat',
    completing(ollamaFailure, (body) => ollamaChat(body, timestamp())),
  );
  app.post(
    '/api/generate',
    completing(ollamaFailure, (body) => ollamaGenerate(body, timestamp())),
  );
  app.post(
    '/v1/chat/completions',
    completing(openaiFailure, (body) => openaiChat(body, `chatcmpl-mock${++nextCompletion}`, clock.now())),
  );
  app.get('/api/tags', (c) => c.json(ollamaTags(model, timestamp())));
  app.get('/api/ps', (c) => c.json({ models: [] }));
  app.get('/api/version', (c) => c.json({ version: ollamaVersion }));
  app.post('/api/show', async (c) => {
    try {
      return Response.json(ollamaShow(JSON.parse(await c.req.text()), timestamp()));
    } catch (error) {
      return refused(error, ollamaFailure);
    }
  });
  app.get('/v1/models', (c) => c.json({ object: 'list', data: [openaiModel(model)] }));
  app.get('/v1/models/:id{.+}', (c) => c.json(openaiModel(c.req.param('id'))));

  app.get('/mock/behaviour', (c) => c.json(current));
  app.post('/mock/behaviour', async (c) => {
    try {
      current = behaviourSchema.parse(JSON.parse(await c.req.text()));
    } catch (error) {
      return refused(error, (status, message) =>
        Response.json({ error: `${message}; send {"mode": one of ${modes.join(', ')}}` }, { status }),
      );
    }
    return c.json(current);
  });
  app.get('/mock/requests', (c) => c.json(traffic));

  if (probes !== undefined) app.route('/', probes);
  app.get('/', (c) => c.text('Ollama is running (mock-llm of Vortex: extractive answers, no weights)\n'));
  app.notFound((c) => {
    const { method, path } = c.req;
    const known = app.routes.some((route) => route.path === path && route.method !== method);
    const status = known ? 405 : 404;
    if (path.startsWith('/v1/')) return openaiFailure(status, `Invalid URL (${method} ${path})`);
    return c.text(status === 405 ? '405 method not allowed' : '404 page not found', status);
  });
  app.onError((error) => ollamaFailure(500, error.message));

  return { app, behaviour: () => current, traffic };
}

/** A body that is not JSON, or not of the request's form: 400 in the API's own error shape. */
function refused(error: unknown, failure: ApiFailure): Response {
  if (error instanceof SyntaxError) return failure(400, `the request body is not JSON: ${error.message}`);
  if (!(error instanceof z.ZodError)) throw error;
  const issue = error.issues[0];
  const path = issue?.path.join('.') ?? '';
  const message = issue?.message ?? 'invalid request';
  return failure(400, path === '' ? message : `${path}: ${message}`, path === '' ? null : path);
}
