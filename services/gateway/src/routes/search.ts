import type { Hits } from '@vortex/contracts';
import { awaitResult, prepare, serverTiming, timingsOf } from '../ask.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { jsonAnswer } from '../exchange.ts';
import { limitSearch } from '../limits/limit-requests.ts';
import { readJson } from '../middleware/json-body.ts';
import { jsonBody, jsonContent, schemas } from '../openapi-schemas.ts';
import { metered } from '../query-meter.ts';

/** `POST /search`: the ranked chunks a question finds; no model is called, no generator's slot taken. */
export function searchEndpoint(parts: GatewayParts): Endpoint {
  return {
    method: 'post',
    path: '/search',
    access: 'query',
    asks: true,
    tag: 'queries',
    summary: 'Find the chunks a question is answered from, without an answer',
    request: jsonBody(schemas.searchRequest, { query: 'Redis lists', top_k: 3 }),
    responses: { 200: jsonContent(schemas.searchResponse, 'Ranked chunks, best first; may be none.') },
    problems: [400, 404, 409, 413, 415, 422, 502, 503, 504],
    async handle(context, exchange) {
      const request = await readJson(context, schemas.searchRequest, parts.settings.max_body_bytes);
      await limitSearch(parts, exchange);
      exchange.lap('receive');
      const { response } = await metered(parts.meter, exchange, 'sync', async () => {
        const question = { ...request, want: 'hits' as const };
        const prepared = await prepare(parts, exchange, question);
        const completion = await awaitResult<Hits>(parts, exchange, prepared, 'hits');
        const timings = timingsOf(completion.timings_ms, exchange);
        exchange.toldTotalMs = timings.total;
        const found = {
          hits: completion.hits,
          collection: completion.collection,
          mode: completion.mode,
          degraded: completion.degraded,
          id: completion.id,
          timings_ms: timings,
          request_id: exchange.requestId,
        };
        parts.notes.answered(exchange, question, { ...found, attempt: completion.attempt });
        const headers = { 'Server-Timing': serverTiming(timings) };
        return { outcome: 'ok' as const, response: jsonAnswer(exchange, found, 200, headers) };
      });
      return response;
    },
  };
}
