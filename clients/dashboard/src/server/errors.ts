/**
 * What went wrong, as it may be told: the extension's own messages are written
 * for people, all others may hold names, addresses or data and stay here.
 */

import { randomBytes } from "node:crypto";
import { TRPCError } from "@trpc/server";
import { NotInstalledError } from "./database";

interface DatabaseError {
	code?: string;
	message: string;
	hint?: string;
	severity?: string;
}

const unreachable = /^(ECONN|ENOTFOUND|EHOSTUNREACH|ETIMEDOUT|EPIPE|ENOENT|EAI_|08|28|3D000|53|57P)/;

/** Null: the value is missing; bad value; unknown name; taken; not now; a limit's own refusals. */
const written = /^(22|42704|23505|23514|55000|PT4|0A000|54000)/;

export function toClientError(error: unknown, log: (line: string) => void): TRPCError {
	if (error instanceof TRPCError && error.code !== "INTERNAL_SERVER_ERROR") return error;
	const cause = (error instanceof TRPCError ? error.cause : error) ?? error;
	if (cause instanceof TRPCError) return cause;
	if (cause instanceof NotInstalledError)
		return new TRPCError({
			code: "PRECONDITION_FAILED",
			message:
				"The extension usage_limits is not installed in this database, or the dashboard’s role may not use its schema.",
		});

	const { code = "", message, hint, severity } = cause as DatabaseError;
	if (code === "42501")
		return new TRPCError({
			code: "FORBIDDEN",
			message: "The dashboard’s database role has no right to this.",
		});
	if (code === "25006")
		return new TRPCError({
			code: "PRECONDITION_FAILED",
			message: "This database takes no changes: it is a standby, or read only.",
		});
	if (code === "57014" || code === "55P03")
		return new TRPCError({ code: "TIMEOUT", message: "The database took too long to answer." });
	if (severity && written.test(code))
		return new TRPCError({ code: "BAD_REQUEST", message: sentence(message, hint) });
	if (
		unreachable.test(code) ||
		/timeout exceeded when trying to connect|Connection terminated/.test(message ?? "")
	) {
		log(`the database cannot be reached (${code || "no answer"})`);
		return new TRPCError({ code: "SERVICE_UNAVAILABLE", message: "The database cannot be reached." });
	}
	const reference = randomBytes(4).toString("hex");
	log(`${reference}: ${code} ${message}`);
	return new TRPCError({
		code: "INTERNAL_SERVER_ERROR",
		message: `Something went wrong. The dashboard’s log has more under ${reference}.`,
	});
}

/** PostgreSQL's messages start small and end without a stop, its hints are sentences. */
function sentence(message: string, hint: string | undefined): string {
	const first = message.charAt(0).toUpperCase() + message.slice(1);
	return `${first}${/[.!?]$/.test(first) ? "" : "."}${hint ? ` ${hint}` : ""}`;
}
