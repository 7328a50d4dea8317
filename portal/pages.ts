import express, { type RequestHandler } from 'express'

/**
 * The built page from `folder`. The policy lets it load and call nothing but this origin and the named services;
 * hashed files are cached for good, the page itself never.
 */
export function portalPages(folder: string, serviceOrigins: readonly string[]): RequestHandler {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src 'self' ${serviceOrigins.join(' ')}`.trim(),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  const files = express.static(folder, {
    setHeaders(res, path) {
      res.setHeader('cache-control', /\/assets\//.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache')
      res.setHeader('content-security-policy', policy)
      res.setHeader('referrer-policy', 'no-referrer')
    },
  })
  return (req, res, next) => {
    res.locals.route = 'page'
    files(req, res, next)
  }
}
