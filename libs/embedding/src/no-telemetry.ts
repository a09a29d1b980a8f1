/**
 * ONNX Runtime (1.30, Linux and macOS) reports sessions and the machine to its maker unless this stands in
 * the environment before the library is loaded; it then creates no uploader, no device id and no file in
 * the temporary folder (microsoft/onnxruntime#27379, #29843). A self-hosted Vortex sends nothing to anybody.
 * Set here, on the main thread: a worker's `process.env` is a copy that native code never sees.
 */
process.env.ORT_DISABLE_TELEMETRY = '1';
