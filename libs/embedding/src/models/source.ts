import type { CatalogueModel } from './catalogue.ts';

/** A place model files can come from. It writes the two files into `folder` and leaves checking to the caller. */
export interface ModelSource {
  /** For messages: "model hub", "Maven Central through mvn". */
  name: string;
  /** @throws when the source has not got the files, or gives no sign of life for `silenceMs`. */
  fetch(request: SourceRequest): Promise<void>;
}

export interface SourceRequest {
  model: CatalogueModel;
  /** Empty, private to this call; the caller removes it. */
  folder: string;
  /** A source that says nothing for this long is given up. */
  silenceMs: number;
  onBytes: (progress: { file: string; bytes: number; totalBytes: number | null }) => void;
}

/** Names of the two files, in the source's folder as well as in the models folder. */
export const onnxFile = 'onnx/model_quantized.onnx';
export const tokenizerFile = 'tokenizer.json';

/** Calls `onSilence` once when `touch` was not called for `silenceMs`. */
export function silenceWatch(silenceMs: number, onSilence: () => void): { touch(): void; stop(): void } {
  let timer = setTimeout(onSilence, silenceMs);
  return {
    touch() {
      clearTimeout(timer);
      timer = setTimeout(onSilence, silenceMs);
    },
    stop: () => clearTimeout(timer),
  };
}
