import { z } from 'zod';
import type { ImageDefaults } from './plan-containers.ts';

/** What `buildah inspect --type image` says of an image in Docker's format. */
const inspection = z.object({
  Docker: z.object({
    config: z.object({
      User: z.string(),
      Env: z.array(z.string()),
      Cmd: z.array(z.string()),
      Entrypoint: z.array(z.string()),
      WorkingDir: z.string(),
      StopSignal: z.string().optional(),
      Healthcheck: z.object({ Test: z.array(z.string()) }).optional(),
      Labels: z.record(z.string(), z.string()).nullable(),
      ExposedPorts: z.record(z.string(), z.unknown()).optional(),
    }),
  }),
});

export type ImageConfig = z.infer<typeof inspection>['Docker']['config'];

export function readInspection(json: string): ImageConfig {
  return inspection.parse(JSON.parse(json)).Docker.config;
}

export function defaultsOf(config: ImageConfig): ImageDefaults {
  return {
    entrypoint: config.Entrypoint,
    command: config.Cmd,
    environment: Object.fromEntries(
      config.Env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    ),
    folder: config.WorkingDir,
  };
}

/** What is wrong with the image as built; the Dockerfile's text is judged by dockerfile-policy.test.ts. */
export function judgeImage(
  config: ImageConfig,
  facts: { megabytes: number; maxMegabytes: number; version: string },
): string[] {
  const problems: string[] = [];
  const hold = (holds: boolean, problem: string) => {
    if (!holds) problems.push(problem);
  };
  hold(facts.megabytes < facts.maxMegabytes, `${facts.megabytes} MB is not below ${facts.maxMegabytes} MB`);
  hold(/^[1-9]\d*:[1-9]\d*$/.test(config.User), `the user is ${config.User || 'root'}, not a number above 0`);
  hold(config.Entrypoint.join(' ') === 'node', `the entry point is ${config.Entrypoint.join(' ')}, not node`);
  hold(config.Healthcheck?.Test[0] === 'CMD', 'there is no health check in exec form');
  hold(config.StopSignal === 'SIGTERM', `the stop signal is ${config.StopSignal ?? 'not said'}`);
  const labels = config.Labels ?? {};
  hold(
    labels['org.opencontainers.image.version'] === facts.version,
    `the label's version is ${labels['org.opencontainers.image.version']}, that of package.json ${facts.version}`,
  );
  for (const name of ['title', 'description', 'licenses', 'revision'])
    hold((labels[`org.opencontainers.image.${name}`] ?? '') !== '', `there is no label ${name}`);
  const secrets = config.Env.filter((line) => /(PASSWORD|SECRET|TOKEN|API_KEY)\w*=./.test(line));
  hold(secrets.length === 0, 'a secret stands in the environment');
  return problems;
}
