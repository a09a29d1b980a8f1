import { freePort } from '@vortex/testkit';
import { expect, it, onTestFinished } from 'vitest';
import { CommandProblem } from '../problem.ts';
import { createInstanceReader } from './read-instance.ts';

it('says that nothing answers at the address, before it shows a screen of it', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const reader = createInstanceReader({ url });
  onTestFinished(() => reader.close());
  const problem = await reader.read().catch((error: unknown) => error);
  expect(problem).toBeInstanceOf(CommandProblem);
  expect(problem).toMatchObject({ exitCode: 1, message: expect.stringContaining(url) });
});
