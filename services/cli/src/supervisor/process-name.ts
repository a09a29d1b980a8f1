/** How a process is called in what people read: by its service, and by its worker name where there are several. */
export function nameOf({ service, workerName }: { service: string; workerName: string | null }): string {
  const isOnlyOne = workerName === null || (service !== 'llm-generator' && workerName.endsWith('_1'));
  return isOnlyOne ? service : `${service} ${workerName}`;
}
