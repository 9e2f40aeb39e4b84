import type { FailureClass } from '../message.ts'

/** Slack's error strings by what has to be done about them (users.md §5.10). */
const table: Record<Exclude<FailureClass, 'unsent'>, string[]> = {
  configuration: [
    'channel_not_found', 'not_in_channel', 'is_archived', 'messages_tab_disabled', 'cannot_reply_to_message', 'is_inactive', 'channel_is_archived', 'no_service', 'team_not_found',
    'action_prohibited', 'posting_to_general_channel_denied', 'user_not_found', 'no_team', 'not_allowed', 'team_access_not_granted'
  ],
  credentials: [
    'invalid_auth', 'not_authed', 'token_revoked', 'token_expired', 'account_inactive', 'missing_scope', 'no_permission', 'not_allowed_token_type', 'org_login_required', 'ekm_access_denied',
    'accesslimited', 'invalid_token', 'metadata_must_be_sent_from_app', 'access_denied', 'two_factor_setup_required'
  ],
  content: [
    'invalid_blocks', 'invalid_blocks_format', 'msg_blocks_too_long', 'msg_too_long', 'no_text', 'too_many_attachments', 'attachment_payload_limit_exceeded', 'metadata_too_large',
    'markdown_text_conflict', 'invalid_arguments', 'invalid_payload', 'invalid_attachments', 'invalid_json', 'invalid_form_data', 'block_mismatch', 'cannot_parse_attachment', 'invalid_arg_name',
    'invalid_array_arg', 'slack_connect_file_link_sharing_blocked'
  ],
  'target-gone': ['message_not_found', 'cant_update_message', 'edit_window_closed', 'restricted_action_thread_locked', 'thread_not_found', 'invalid_thread_ts', 'cannot_update_message'],
  rate: ['ratelimited', 'rate_limited', 'message_limit_exceeded'],
  unclear: ['internal_error', 'fatal_error', 'service_unavailable', 'request_timeout', 'team_added_to_org']
}

const classes = new Map(Object.entries(table).flatMap(([name, errors]) => errors.map(error => [error, name as FailureClass] as const)))

/** The class of an error string. What nobody has listed may have happened: unclear. */
export function classOf (error: string): FailureClass {
  const known = classes.get(error)
  if (known !== undefined) return known
  if (error.startsWith('restricted_action')) return 'configuration'
  if (error.startsWith('invalid_metadata')) return 'content'
  return 'unclear'
}

/** What a person does about it, in one line. */
export function fixOf (error: string, channel: string): string {
  if (error === 'not_in_channel') return `Invite the app: /invite @acme-triage in ${channel}.`
  if (error === 'channel_not_found') return `Check the channel id ${channel} in slack.routes or SLACK_CHANNEL, and invite the app if it is private.`
  if (error === 'is_archived' || error === 'channel_is_archived') return `The channel ${channel} is archived: choose another one in slack.routes or SLACK_CHANNEL.`
  if (error.startsWith('restricted_action')) return `A workspace policy forbids posting to ${channel}: ask a workspace admin.`
  if (error === 'missing_scope') return 'Add the missing scope to the app and reinstall it.'
  if (classOf(error) === 'credentials') return 'Put a valid bot token into SLACK_BOT_TOKEN or the file behind SLACK_BOT_TOKEN_FILE; the file is read again by itself.'
  return 'See the error in Slack\'s documentation of the method.'
}
