/** Who looks and what the server can do, for everything below. */
import { createContext, useContext } from "react";
import type { Outputs } from "./api";

export type Session = Outputs["session"]["get"];
export type Server = NonNullable<Session["server"]>;

export const SessionContext = createContext<{ session: Session; server: Server } | null>(null);

export function useServer(): Server {
	const known = useContext(SessionContext);
	if (!known) throw new Error("there is no session here");
	return known.server;
}

export function useSession(): Session {
	const known = useContext(SessionContext);
	if (!known) throw new Error("there is no session here");
	return known.session;
}
