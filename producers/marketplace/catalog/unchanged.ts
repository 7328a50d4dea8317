/** Whether `If-None-Match` (RFC 9110, 13.1.2: a list, or `*`) names the entity tag, weakly compared. */
export const isUnchanged = (ifNoneMatch: string | undefined, etag: string): boolean =>
  (ifNoneMatch ?? '').split(',').some((one) => [etag, '*'].includes(one.trim().replace(/^W\//, '')))
