/** A link may carry a token behind its #, which browsers keep to themselves. */
import { login } from "./api";

/** What was wrong with the link's token, if anything. */
export let refusedLink: string | undefined;

/** Signs in with it before anything else is asked for, and takes it out of the address. */
export async function followLink(): Promise<void> {
	const token = /^#token=(.+)$/.exec(location.hash)?.[1];
	if (token === undefined) return;
	history.replaceState(null, "", location.pathname + location.search);
	try {
		const answer = await login(decodeURIComponent(token));
		if ("message" in answer) refusedLink = "The link’s token is not valid any more.";
	} catch {
		refusedLink = "The dashboard’s server does not answer.";
	}
}
