import { defineErrors } from '../errors.ts'

export const httpError = defineErrors({
  not_found: { status: 404, title: 'Nothing here' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The media type is not supported' },
  body_malformed: { status: 400, title: 'The body cannot be read' },
  parameter_invalid: { status: 400, title: 'A parameter is not valid' },
  request_aborted: { status: 400, title: 'The request ended early' },
  unavailable: { status: 503, title: 'Temporarily unavailable' },
  internal: { status: 500, title: 'Something failed on our side' },
})
