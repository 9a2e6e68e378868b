//! What providers put before their keys, tokens and signing secrets, and what follows.

/// What may follow a prefix.
#[derive(Clone, Copy)]
enum Rest {
    /// Letters, digits, `_` and `-`, so many at least and a digit among them: words in kebab case have none.
    Mixed(usize),
    /// The same with letters of both cases as well: names in snake case have one.
    Cased(usize),
    /// Capitals and digits, exactly so many.
    Capitals(usize),
    /// Hexadecimal digits, so many at least.
    Hex(usize),
    /// Letters and digits, so many at least, of both cases or with a digit: some keys have no digit.
    Random(usize),
    /// Hexadecimal digits and hyphens, exactly so many.
    Uuid(usize),
}

use Rest::{Capitals, Cased, Hex, Mixed, Random, Uuid};

/// As their providers document them. Ids and keys that are public (`pk_live_…`, `chatcmpl-…`, `toolu_…`) are none of them.
/// Those that begin with the same letter, small or not, stand together, in the order of the letters.
const PREFIXES: &[(&str, Rest)] = &[
    ("3MVG9", Random(60)),
    ("4b1d", Cased(38)),
    ("A3-", Mixed(37)),
    ("ABIA", Capitals(16)),
    ("ABSK", Mixed(60)),
    ("ACCA", Capitals(16)),
    ("access-development-", Uuid(36)),
    ("access-production-", Uuid(36)),
    ("access-sandbox-", Uuid(36)),
    ("AGE-SECRET-KEY-1", Mixed(40)),
    ("AIza", Mixed(30)),
    ("ak-", Random(20)),
    ("ak_", Random(27)),
    ("AKCp", Mixed(20)),
    ("AKIA", Capitals(16)),
    ("AKID", Random(32)),
    ("API-", Capitals(26)),
    ("api-", Uuid(36)),
    ("api_org_", Random(28)),
    ("AQVN", Mixed(36)),
    ("as-", Random(20)),
    ("ASIA", Capitals(16)),
    ("ATATT3", Mixed(40)),
    ("ATBB", Random(32)),
    ("ATCTT3", Mixed(20)),
    ("bb_live_", Cased(20)),
    ("bedrock-api-key-", Mixed(60)),
    ("bkua_", Hex(32)),
    ("cal_live_", Hex(32)),
    ("CCIPAT_", Mixed(60)),
    ("cfat_", Cased(30)),
    ("cfk_", Cased(30)),
    ("cflt", Mixed(60)),
    ("CFPAT-", Mixed(30)),
    ("cfut_", Cased(30)),
    ("cio", Random(32)),
    ("CLOJARS_", Mixed(30)),
    ("cmVmdGtuOjAx", Random(50)),
    ("csk-", Mixed(40)),
    ("dapi", Hex(32)),
    ("dckr_oat_", Mixed(30)),
    ("dckr_pat_", Mixed(20)),
    ("dG9rO", Random(60)),
    ("doo_v1_", Hex(40)),
    ("dop_v1_", Hex(40)),
    ("dor_v1_", Hex(40)),
    ("dose", Hex(32)),
    ("duffel_live_", Cased(30)),
    ("duffel_test_", Cased(30)),
    ("e2b_", Hex(40)),
    ("EAA", Random(56)),
    ("EAACEdEose0cBA", Random(20)),
    ("esecret_", Random(20)),
    ("EZAK", Random(54)),
    ("EZTK", Random(54)),
    ("fc-", Hex(32)),
    ("figd_", Mixed(30)),
    ("fio-u-", Mixed(30)),
    ("FLWSECK-", Hex(32)),
    ("FLWSECK_TEST-", Hex(32)),
    ("fm2_", Mixed(30)),
    ("fo1_", Cased(30)),
    ("fw_", Mixed(20)),
    ("gho_", Mixed(30)),
    ("ghp_", Mixed(30)),
    ("ghr_", Mixed(30)),
    ("ghs_", Mixed(30)),
    ("ghu_", Mixed(30)),
    ("github_pat_", Mixed(20)),
    ("glagent-", Mixed(16)),
    ("glc_", Mixed(24)),
    ("glcbt-", Mixed(16)),
    ("gldt-", Mixed(16)),
    ("glffct-", Mixed(16)),
    ("glft-", Mixed(16)),
    ("glimt-", Mixed(16)),
    ("gloas-", Mixed(16)),
    ("glpat-", Mixed(16)),
    ("glptt-", Mixed(16)),
    ("glrt-", Mixed(16)),
    ("glsa_", Mixed(24)),
    ("glsoat-", Mixed(16)),
    ("GOCSPX-", Mixed(20)),
    ("GR1348941", Mixed(20)),
    ("gsk_", Mixed(40)),
    ("hcaik_", Mixed(30)),
    ("hcxik_", Mixed(30)),
    ("hf_", Random(28)),
    ("hl_sk_", Hex(32)),
    ("HRKU-", Mixed(30)),
    ("ico-", Random(32)),
    ("IGQV", Random(60)),
    ("jina_", Mixed(30)),
    ("key-", Hex(32)),
    ("key_", Hex(32)),
    ("lin_api_", Mixed(30)),
    ("lin_oauth_", Hex(32)),
    ("live_", Hex(35)),
    ("lk-", Cased(30)),
    ("ls__", Mixed(24)),
    ("lsv2_", Mixed(24)),
    ("LTAI", Random(16)),
    ("mdb_sa_sk_", Mixed(20)),
    ("mint_", Random(20)),
    ("napi_", Random(60)),
    ("nfp_", Mixed(30)),
    ("npg_", Random(12)),
    ("npm_", Mixed(30)),
    ("NRAK-", Mixed(20)),
    ("NRII-", Mixed(30)),
    ("ntn_", Mixed(30)),
    ("nvapi-", Mixed(40)),
    ("ops_eyJ", Mixed(30)),
    ("oy2", Random(43)),
    ("pa-", Mixed(40)),
    ("pai-", Mixed(20)),
    ("pat-eu1-", Uuid(36)),
    ("pat-na1-", Uuid(36)),
    ("pcsk_", Mixed(40)),
    ("phx_", Mixed(30)),
    ("pl_", Hex(32)),
    ("PMAK-", Mixed(40)),
    ("pnu_", Random(36)),
    ("pplx-", Mixed(32)),
    ("pscale_oauth_", Mixed(20)),
    ("pscale_pw_", Mixed(30)),
    ("pscale_tkn_", Mixed(30)),
    ("pul-", Hex(32)),
    ("pylf_v1_", Mixed(30)),
    ("pypi-", Mixed(50)),
    ("r8_", Mixed(30)),
    ("rdme_", Random(60)),
    ("re_", Cased(30)),
    ("rk_live_", Mixed(10)),
    ("rk_test_", Mixed(10)),
    ("rnd_", Mixed(24)),
    ("rpa_", Mixed(30)),
    ("rubygems_", Hex(40)),
    ("rzp_live_", Random(14)),
    ("rzp_test_", Random(14)),
    ("sb_secret_", Mixed(20)),
    ("sbp_", Hex(40)),
    ("sdk-", Uuid(36)),
    ("secret-live-", Mixed(20)),
    ("secret-test-", Mixed(20)),
    ("secret_", Mixed(36)),
    ("sgp_", Mixed(48)),
    ("shippo_live_", Hex(32)),
    ("shippo_test_", Hex(32)),
    ("shpat_", Hex(32)),
    ("shpca_", Hex(32)),
    ("shppa_", Hex(32)),
    ("shpss_", Hex(32)),
    ("shpua_", Hex(32)),
    ("signkey-prod-", Hex(32)),
    ("signkey-test-", Hex(32)),
    ("SK", Hex(32)),
    ("sk-", Mixed(17)),
    ("sk_", Cased(30)),
    ("sk_", Hex(40)),
    ("sk_dev_", Mixed(20)),
    ("sk_live_", Mixed(10)),
    ("sk_prod_", Mixed(20)),
    ("sk_test_", Mixed(10)),
    ("sntrys_", Mixed(30)),
    ("sntryu_", Mixed(30)),
    ("sq0atp-", Mixed(20)),
    ("sq0csp-", Mixed(30)),
    ("sqa_", Hex(32)),
    ("sqp_", Hex(32)),
    ("squ_", Hex(32)),
    ("test_", Hex(35)),
    ("tfp_", Mixed(40)),
    ("tgp_v1_", Mixed(24)),
    ("tk-us-", Mixed(48)),
    ("tl_", Hex(64)),
    ("tr_dev_", Random(20)),
    ("tr_prod_", Random(20)),
    ("tskey-", Mixed(20)),
    ("tvly-", Mixed(20)),
    ("vck_", Cased(30)),
    ("vcp_", Cased(30)),
    ("vercel_blob_rw_", Mixed(30)),
    ("wandb_v1_", Mixed(50)),
    ("whsec_", Mixed(16)),
    ("xaat-", Uuid(36)),
    ("xai-", Mixed(40)),
    ("xapp-", Mixed(16)),
    ("xapt-", Uuid(36)),
    ("xkeysib-", Mixed(40)),
    ("xoxa-", Mixed(16)),
    ("xoxb-", Mixed(16)),
    ("xoxc-", Mixed(16)),
    ("xoxd-", Mixed(16)),
    ("xoxe-", Mixed(16)),
    ("xoxp-", Mixed(16)),
    ("xoxr-", Mixed(16)),
    ("xoxs-", Mixed(16)),
    ("xsmtpsib-", Mixed(20)),
    ("zpka_", Hex(32)),
];

/// What a secret may begin with: its first letter with the second, and its second with the third, as bits. Most words are
/// done with here.
struct Pairs {
    first: [u64; 64],
    second: [u64; 64],
}

const PAIRS: &Pairs = &{
    let mut pairs = Pairs { first: [0; 64], second: [0; 64] };
    let mut at = 0;
    while at < PREFIXES.len() {
        let prefix = PREFIXES[at].0.as_bytes();
        let (one, two) = ((prefix[0] & 63) as usize, (prefix[1] & 63) as usize);
        pairs.first[one] |= 1 << two;
        pairs.second[two] |= if prefix.len() > 2 { 1 << (prefix[2] & 63) } else { u64::MAX };
        at += 1;
    }
    at = 0;
    while at < OTHERS.len() {
        let [one, two, three] = *OTHERS[at];
        pairs.first[(one & 63) as usize] |= 1 << (two & 63);
        pairs.second[(two & 63) as usize] |= 1 << (three & 63);
        at += 1;
    }
    pairs
};

/// How objects begin in base64, and armour.
const OTHERS: [&[u8; 3]; 3] = [b"eyJ", b"ewo", b"LS0"];

/// Whether a run of letters may begin with a prefix.
#[inline]
pub(super) fn may_begin(run: &[u8]) -> bool {
    let [one, two, three, ..] = *run else { return false };
    let has = |bits: u64, byte: u8| bits >> (byte & 63) & 1 == 1;
    has(PAIRS.first[usize::from(one & 63)], two) && has(PAIRS.second[usize::from(two & 63)], three)
}

/// For each first letter, small or not, where its prefixes begin; they end where those of the next do.
const BEGINS: &[u8; 129] = &{
    let mut begins = [0; 129];
    let (mut at, mut letter) = (0, 0);
    while letter < 129 {
        while at < PREFIXES.len() && (PREFIXES[at].0.as_bytes()[0].to_ascii_lowercase() as usize) < letter {
            at += 1;
        }
        begins[letter] = at as u8;
        letter += 1;
    }
    begins
};

/// Whether a run of letters, digits, `_` and `-` is a secret.
pub(super) fn is_secret(run: &[u8]) -> bool {
    let letter = usize::from(run[0].to_ascii_lowercase() & 0x7f);
    let alike = &PREFIXES[usize::from(BEGINS[letter])..usize::from(BEGINS[letter + 1])];
    alike.iter().any(|(prefix, rest)| run.strip_prefix(prefix.as_bytes()).is_some_and(|body| rest.fits(body)))
}

impl Rest {
    fn fits(self, body: &[u8]) -> bool {
        let (digit, upper, lower) =
            (has(body, u8::is_ascii_digit), has(body, u8::is_ascii_uppercase), has(body, u8::is_ascii_lowercase));
        match self {
            Mixed(least) => body.len() >= least && digit,
            Cased(least) => body.len() >= least && digit && upper && lower,
            Capitals(length) => {
                body.len() == length && body.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            }
            Hex(least) => {
                // Some have a number or a checksum behind them: `dapi…-2`.
                let digits = body.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                digits >= least && matches!(body[digits..], [] | [b'-' | b'_', ..])
            }
            Random(least) => {
                body.len() >= least && body.iter().all(u8::is_ascii_alphanumeric) && (digit || upper && lower)
            }
            Uuid(length) => body.len() == length && body.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-'),
        }
    }
}

fn has(body: &[u8], is_one: fn(&u8) -> bool) -> bool {
    body.iter().any(is_one)
}
