/** Lets in whoever may be here, and says to everybody else what is missing. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import { Database, KeyRound, ShieldX } from "lucide-react";
import { type FormEvent, type ReactNode, useState } from "react";
import { api, login } from "../api";
import { ServerClock } from "../clock";
import { refusedLink } from "../link";
import { SessionContext } from "../session";
import { Button, Empty, ErrorNote, Field, Skeleton } from "./basics";
import { Logo } from "./Shell";

export function Gate({ children }: { children: ReactNode }) {
	const look = useQuery(api.session.get.queryOptions(undefined, { refetchInterval: 30_000, staleTime: 0 }));
	const { pathname } = useLocation();

	if (look.data === undefined) {
		return (
			<Lone>
				{look.error ? (
					<ErrorNote error={look.error} retry={() => void look.refetch()} />
				) : (
					<Skeleton lines={3} />
				)}
			</Lone>
		);
	}
	const { role, installed, server } = look.data;
	if (role === null) return <Login />;
	if (!installed || !server) {
		return (
			<Lone>
				<Empty icon={Database} title="The extension is not here yet">
					<p>
						This database has no extension usage_limits, or the dashboard’s role may not use its schema. As
						superuser:
					</p>
					<pre>
						CREATE SCHEMA usage;{"\n"}CREATE EXTENSION usage_limits SCHEMA usage;{"\n"}SELECT
						usage.usage_grant('dashboard', 'admin');
					</pre>
					<Button onClick={() => void look.refetch()}>Look again</Button>
				</Empty>
			</Lone>
		);
	}
	if (role === "user" && pathname !== "/me") {
		return (
			<Lone>
				<Empty icon={ShieldX} title="This page is for administrators">
					<p>
						<a href="/me">Go to your own usage</a>
					</p>
				</Empty>
			</Lone>
		);
	}
	return (
		<SessionContext.Provider value={{ session: look.data, server }}>
			<ServerClock now={server.now} seenAt={look.dataUpdatedAt}>
				{children}
			</ServerClock>
		</SessionContext.Provider>
	);
}

function Lone({ children }: { children: ReactNode }) {
	return (
		<main className="lone">
			<Logo />
			<div className="lone-card">{children}</div>
		</main>
	);
}

function Login() {
	const cache = useQueryClient();
	const [token, setToken] = useState("");
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState(refusedLink);
	const submit = async (event: FormEvent) => {
		event.preventDefault();
		setBusy(true);
		try {
			const answer = await login(token.trim());
			if ("role" in answer) await cache.invalidateQueries();
			else setError(answer.message);
		} catch {
			setError("The dashboard’s server does not answer.");
		}
		setBusy(false);
	};
	return (
		<Lone>
			<h1>Sign in</h1>
			<p className="soft">
				With the token this dashboard was started with, or the one your application gave you.
			</p>
			<form className="stack" onSubmit={(event) => void submit(event)}>
				<Field label="Token" error={error}>
					{(ids) => (
						<input
							{...ids}
							type="password"
							autoComplete="current-password"
							required
							value={token}
							onChange={(event) => setToken(event.target.value)}
						/>
					)}
				</Field>
				<Button type="submit" look="primary" icon={KeyRound} busy={busy}>
					Sign in
				</Button>
			</form>
		</Lone>
	);
}
