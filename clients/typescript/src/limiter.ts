import type { UsageOptions } from "./call.js";
import { UsageClient } from "./client.js";

export interface CheckActionOptions {
	userId: string;
	/** A row of `usage_actions`; an action that is not there is allowed. */
	action: string;
	/** By default true: a denial is a UsageLimitError. */
	throwOnExceed?: boolean | undefined;
}

/** Asks by the names of the application's actions. It consumes nothing: what has to hold needs `enforce` or `withHold`. */
export class UsageLimiter extends UsageClient<UsageOptions> {
	checkActionAllowed(options: CheckActionOptions): Promise<boolean> {
		return this.value("usage_check_action", {
			user_id: options.userId,
			action: options.action,
			throw_on_exceed: options.throwOnExceed,
		});
	}

	/** For the middleware of a framework: throws UsageLimitError when the action is denied. */
	async middleware(userId: string, action: string): Promise<void> {
		await this.checkActionAllowed({ userId, action });
	}
}
