import { defineErrors } from '../../platform/errors.ts'

/** What the analyzer may refuse or fail with. */
export const governanceError = defineErrors({
  wpk_malformed: { status: 400, title: 'Not a workflow package' },
  analysis_timeout: { status: 503, title: 'The analysis took too long' },
  analysis_memory: { status: 503, title: 'The analysis needs too much memory' },
  analysis_failed: { status: 503, title: 'The analysis failed' },
  analyzer_busy: { status: 503, title: 'The analyzer has too much to do' },
  analyzer_unavailable: { status: 503, title: 'The analyzer does not start' },
  analyzer_closed: { status: 503, title: 'The analyzer is shutting down' },
})
