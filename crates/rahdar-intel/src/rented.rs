//! Names that were not registered but taken from a provider of names: dynamic DNS, free hosting,
//! a cloud. Who has them, and where they point, changes fast.

/// Providers of dynamic DNS that the Public Suffix List does not name: those of ChangeIP, FreeDNS,
/// PubYun and Oray that published lists of indicators use (read 2026-11-22), sorted.
const PROVIDERS: [&str; 169] = [
    "1dumb.com",
    "2288.org",
    "25u.com",
    "2waky.com",
    "3-a.net",
    "3322.org",
    "4dq.com",
    "4pu.com",
    "6600.org",
    "7766.org",
    "8800.org",
    "8866.org",
    "9966.org",
    "acmetoy.com",
    "almostmy.com",
    "americanunfinished.com",
    "authorizeddns.net",
    "authorizeddns.org",
    "authorizeddns.us",
    "bigmoney.biz",
    "changeip.co",
    "changeip.name",
    "changeip.net",
    "changeip.org",
    "chickenkiller.com",
    "compress.to",
    "crabdance.com",
    "ddns.info",
    "ddns.mobi",
    "ddns.ms",
    "ddns.us",
    "dhcp.biz",
    "dns-dns.com",
    "dns-stuff.com",
    "dns04.com",
    "dns05.com",
    "dns1.us",
    "dns2.us",
    "dnset.com",
    "dsmtp.com",
    "dumb1.com",
    "dynamic-dns.net",
    "dynamicdns.biz",
    "dynamicdns.co.uk",
    "dynamicdns.me.uk",
    "dynamicdns.org.uk",
    "dyndns.pro",
    "edns.biz",
    "eicp.net",
    "epac.to",
    "evils.in",
    "ezua.com",
    "f3322.net",
    "f3322.org",
    "faqserv.com",
    "fartit.com",
    "freeddns.com",
    "freetcp.com",
    "freewww.biz",
    "freewww.info",
    "ftp1.biz",
    "ftpserver.biz",
    "gettrials.com",
    "gicp.net",
    "got-game.org",
    "gr8domain.biz",
    "gr8name.biz",
    "homenet.org",
    "https443.net",
    "https443.org",
    "ignorelist.com",
    "ikwb.com",
    "instanthq.com",
    "iownyour.biz",
    "iownyour.org",
    "itemdb.com",
    "itsaol.com",
    "jetos.com",
    "jkub.com",
    "jumpingcrab.com",
    "jungleheart.com",
    "justdied.com",
    "kwik.to",
    "lflink.com",
    "lflinkup.com",
    "lflinkup.net",
    "lflinkup.org",
    "longmusic.com",
    "mefound.com",
    "moneyhome.biz",
    "mooo.com",
    "mrbonus.com",
    "mrface.com",
    "mrslove.com",
    "my03.com",
    "mydad.info",
    "myddns.com",
    "myftp.info",
    "myftp.name",
    "mylftv.com",
    "mymom.info",
    "mynetav.com",
    "mynetav.net",
    "mynetav.org",
    "mynumber.org",
    "mypicture.info",
    "mypop3.net",
    "mypop3.org",
    "mysecondarydns.com",
    "mywww.biz",
    "myz.info",
    "ninth.biz",
    "ns01.info",
    "ns02.biz",
    "ns02.info",
    "ns02.us",
    "ns1.name",
    "ns2.name",
    "ns3.name",
    "ocry.com",
    "oicp.net",
    "onedumb.com",
    "onmypc.biz",
    "onmypc.info",
    "onmypc.net",
    "onmypc.org",
    "onmypc.us",
    "organiccrap.com",
    "otzo.com",
    "pcanywhere.net",
    "port25.biz",
    "proxydns.com",
    "qhigh.com",
    "qpoe.com",
    "rebatesrule.net",
    "sellclassics.com",
    "sendsmtp.com",
    "serveuser.com",
    "serveusers.com",
    "sexidude.com",
    "sixth.biz",
    "squirly.info",
    "ssl443.org",
    "strangled.net",
    "toh.info",
    "toshibanetcam.com",
    "toythieves.com",
    "trickip.net",
    "trickip.org",
    "twilightparadox.com",
    "uk.to",
    "us.to",
    "vicp.cc",
    "vicp.net",
    "vizvaz.com",
    "wha.la",
    "wikaba.com",
    "www1.biz",
    "wwwhost.biz",
    "wwwhost.us",
    "x24hr.com",
    "xicp.net",
    "xxuz.com",
    "xxxy.biz",
    "xxxy.info",
    "youdontcare.com",
    "yourtrap.com",
    "zyns.com",
    "zzux.com",
];

/// Whether a name belongs to a customer of such a provider: it stands below a private entry of the
/// Public Suffix List, or below one of [`PROVIDERS`].
pub(crate) fn is_rented(domain: &str) -> bool {
    let suffix = psl::suffix(domain.as_bytes());
    let private = suffix.is_some_and(|suffix| suffix.typ() == Some(psl::Type::Private));
    private || provider(domain).is_some()
}

/// What its owner holds of a name: the name cut below its public suffix (Public Suffix List, its
/// private part too) or its provider. A name without either stands for itself.
pub(crate) fn registrable(domain: &str) -> &str {
    let Some(provider) = provider(domain) else { return psl::domain_str(domain).unwrap_or(domain) };
    let label = domain[..domain.len() - provider.len() - 1].rfind('.').map_or(0, |dot| dot + 1);
    &domain[label..]
}

/// The provider that a name stands below.
fn provider(domain: &str) -> Option<&'static str> {
    let above = std::iter::successors(domain.split_once('.'), |(_, rest)| rest.split_once('.'));
    above.filter_map(|(_, name)| PROVIDERS.binary_search(&name).ok()).map(|at| PROVIDERS[at]).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_sorted_for_the_search() {
        assert!(PROVIDERS.is_sorted());
    }

    fn check(domain: &str, rented: bool, owned: &str) {
        assert_eq!((is_rented(domain), registrable(domain)), (rented, owned), "{domain}");
    }

    #[test]
    fn customers_of_providers_own_one_label_below_them() {
        check("c2.example.org", false, "example.org");
        check("www.example.co.uk", false, "example.co.uk");
        check("a.someone.duckdns.org", true, "someone.duckdns.org");
        check("a.someone.mooo.com", true, "someone.mooo.com");
        check("mooo.com", false, "mooo.com");
        check("notmooo.com", false, "notmooo.com");
        check("x.kozow.com", true, "x.kozow.com");
    }
}
