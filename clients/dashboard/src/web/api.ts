/** The server's procedures, typed, and the one cache of their answers. */
import { keepPreviousData, MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { createTRPCClient, httpBatchLink, TRPCClientError } from "@trpc/client";
import type { inferRouterOutputs } from "@trpc/server";
import { createTRPCOptionsProxy } from "@trpc/tanstack-react-query";
import type { AppRouter } from "../server/routes";

export type Outputs = inferRouterOutputs<AppRouter>;
export type ApiError = TRPCClientError<AppRouter>;

const errorCode = (error: unknown) =>
	error instanceof TRPCClientError ? (error as ApiError).data?.code : undefined;

/** The session has ended: whoever shows the page must look again who is there. */
function onError(error: unknown): void {
	if (errorCode(error) === "UNAUTHORIZED")
		void queryClient.invalidateQueries({ queryKey: api.session.get.queryKey() });
}

export const queryClient = new QueryClient({
	queryCache: new QueryCache({ onError }),
	mutationCache: new MutationCache({ onError }),
	defaultOptions: {
		queries: {
			staleTime: 5_000,
			placeholderData: keepPreviousData,
			// what the server refuses it refuses again; only a lost connection is worth another try
			retry: (failures, error) =>
				failures < 2 && (errorCode(error) === undefined || errorCode(error) === "SERVICE_UNAVAILABLE"),
		},
	},
});

export const client = createTRPCClient<AppRouter>({
	links: [httpBatchLink({ url: "/api/trpc", methodOverride: "POST" })],
});

export const api = createTRPCOptionsProxy<AppRouter>({ client, queryClient });

/** What went wrong, in words for people. */
export function errorText(error: unknown): string {
	if (error instanceof TRPCClientError) {
		if (error.data) return validationText(error.message) ?? error.message;
		return "The dashboard’s server does not answer.";
	}
	return "Something went wrong.";
}

/** tRPC gives what zod finds wrong as a JSON array. */
function validationText(message: string): string | undefined {
	if (!message.startsWith("[")) return undefined;
	try {
		const [issue] = JSON.parse(message) as { message: string; path: (string | number)[] }[];
		return issue && `${issue.path.join(".")}: ${issue.message}`;
	} catch {
		return undefined;
	}
}

export async function login(token: string): Promise<{ role: "admin" | "user" } | { message: string }> {
	const response = await fetch("/api/login", {
		method: "POST",
		headers: { "Content-Type": "application/json" },
		body: JSON.stringify({ token }),
	});
	return response.json() as Promise<{ role: "admin" | "user" } | { message: string }>;
}

export async function logout(): Promise<void> {
	await fetch("/api/logout", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
	queryClient.clear();
}
