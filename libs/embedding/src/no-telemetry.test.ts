import { expect, it } from 'vitest';
import './index.ts';

it('tells ONNX Runtime to report to nobody, before anything can load it', () => {
  expect(process.env.ORT_DISABLE_TELEMETRY).toBe('1');
  expect(process.report.getReport()).not.toMatchObject({
    sharedObjects: expect.arrayContaining([expect.stringContaining('onnxruntime')]),
  });
});
