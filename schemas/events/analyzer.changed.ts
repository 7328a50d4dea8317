import { AnalyzerIdentity, analyzerExample } from '../analyzer-identity.ts'
import { defineEvent } from '../define-event.ts'
import { closed } from '../envelope.ts'
import { topics } from '../topics.ts'

/** Not the name of a package: changes of the analyzer keep their order among themselves. */
const KEY = '(analyzer)'

/** From now on packages are judged by another rule set or model than before; what is stored was judged by the former. */
export const analyzerChanged = defineEvent({
  type: 'analyzer.changed',
  version: 1,
  topic: topics.wpk,
  description: 'Packages are judged by another rule set or model from now on.',
  data: closed({ analyzer: AnalyzerIdentity }),
  key: () => KEY,
  example: { analyzer: analyzerExample },
})
