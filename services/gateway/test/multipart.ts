/** Multipart bodies written by hand, because what is tested is what no decent client sends. */
export const boundary = 'testboundary';
export const multipartType = `multipart/form-data; boundary=${boundary}`;

export const field = (name: string, value: string) =>
  `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

/** `name` as the header says it, so that a test may send `filename*=…` as well. */
export const filePart = (name: string, content: string, part = 'file') =>
  `--${boundary}\r\nContent-Disposition: form-data; name="${part}"; filename=${name}\r\n` +
  `Content-Type: application/octet-stream\r\n\r\n${content}\r\n`;

export const closing = `--${boundary}--\r\n`;

export const multipart = (...parts: string[]) => `${parts.join('')}${closing}`;
