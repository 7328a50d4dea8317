import { diffStored } from '../catalog/diff-stored.ts'
import { examine } from '../review/examine.ts'
import { readUpload } from './read-upload.ts'

/**
 * Everything that looks into a document which a partner wrote. 1 MB of the densest YAML takes a tenth of a second, a form
 * of 30,000 parts nearly as long; on the event loop that would be everybody's delay.
 */
export const readingJobs = { upload: readUpload, diff: diffStored, examine }
