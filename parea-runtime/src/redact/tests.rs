//! The redactor on lines of JSON.

use serde_json::{Value, json};

use super::*;

fn redacted(log: &Value) -> (Value, u64) {
    let mut line = serde_json::to_vec(log).unwrap();
    let count = Redactor::default().redact(&mut line, 1);
    (serde_json::from_slice(&line).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&line))), count)
}

/// Texts with secrets, which stand between `‹` and `›`.
const TEXTS: &[&str] = &[
    // By looks.
    "the key is ‹sk-proj-abcdefghij0123456789ABCDEFGHIJ›, keep it",
    "‹sk-ant-api03-abcdefghij0123456789abcdefghij-AA›",
    "(‹AKIAIOSFODNN7EXAMPLE›)",
    "‹AIzaSyA1234567890abcdefghijklmnopqrstuv›",
    "clone https://‹ghp_abcdefghijklmnopqrstuvwxyz0123456789›@github.com/a/b",
    "‹github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz›\n‹glpat-abcdefghij0123456789›",
    "‹xoxb-123456789012-abcdefghijklmnop›",
    "‹sk_live_abcdefghij0123456789›",
    "‹SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG›",
    "‹hf_abcdefghijklmnopqrstuvwxyz012345›",
    "jwt ‹eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U›.",
    "card ‹4111 1111 1111 1111›, ‹4012-8888-8888-1881› or ‹378282246310005›",
    "-----\n‹-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----›\nafter",
    "‹-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk cut off›",
    "bot ‹123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc› ok",
    "postgres://app:‹hunter2›@db.internal:5432/main",
    "https://hooks.slack.com/services/‹T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX› failed",
    "curl -H 'x: Bearer ‹abc123def456›' and basic ‹dXNlcjpwYXNzd29yZA==›",
    // By name.
    "Config { api_key: \"‹p455›\", url: \"http://x\" }",
    "Config { api_key: Some(\"‹p455›\"), retries: 3 }",
    "Config { password: String(\"‹with \\\" quote›\"), user: \"bob\" }",
    "Login { credentials: ‹Basic { user: \"bob\", pass: \"x\" }›, at: 3 }",
    "Config { secrets: ‹[\"a\", \"b\"]›, more: 1 }",
    "Login(Password(‹\"hunter2\"›))",
    "Zeroizing(‹\"hunter2\"›) done",
    "Wrapper { inner: Zeroizing(‹[1, 2, 3]›) }",
    "password=‹hunter2› user=bob",
    "pwd=‹x›",
    "GET /v1?api_key=‹abc›&q=1&access_token=‹def› HTTP/1.1",
    "https://s3/x?X-Amz-Expires=60&X-Amz-Signature=‹deadbeef›&z=1",
    "{\"api_key\":\"‹abc›\",\"q\":\"1\"}",
    "{\"a\":{\"client_secret\": \"‹abc›\"}}",
    "{\"a\":\"{\\\"token\\\":\\\"‹abc›\\\",\\\"n\\\":1}\"}",
    "{\"password\":‹{\"hash\":\"x\",\"salt\":[1,2]}›,\"n\":1}",
    "{'password': '‹abc›', 'n': 1}",
    "headers: {\"authorization\": \"‹Bearer abc›\", \"accept\": \"*/*\"}",
    "Authorization: ‹Bearer abcdef›\nAccept: */*",
    "Cookie: ‹sid=1; theme=dark›\nHost: x",
    "request failed\ncaused by: login failed, token=‹abc123›",
    "user=bob;password=‹a,b›",
    "OPENAI_API_KEY=‹abcdef› cargo run",
    "export PGPASSWORD='‹a b c›'",
    "secret := ‹hunter22›",
    "yaml\npassword: ‹correcthorse›\nuser: bob",
    "\"password\" => \"‹x›\"",
    // As `{:#?}` sets it.
    "Config {\n    token: Some(\n        \"‹p455›\",\n    ),\n    retries: 3,\n}",
    "[\n    (\n        \"authorization\",\n        \"‹Basic abc›\",\n    ),\n    (\n        \"a\",\n        \"b\",\n    ),\n]",
    "Login {\n    credentials: ‹Basic {\n        user: \"bob\",\n    }›,\n    at: 3,\n}",
    // Pairs, and a name beside its value.
    "[(\"x-api-key\", \"‹abc›\"), (\"accept\", \"json\")]",
    "[[\"cookie\",\"‹a=b; c=d›\"],[\"token\",\"a\",\"b\"]]",
    "Header(\"Authorization\", \"‹with \\\" quote›\")",
    "[{\"name\":\"API_KEY\",\"value\":\"‹abc›\"},{\"name\":\"HOME\",\"value\":\"/root\"}]",
    "Variable { name: \"DB_PASSWORD\", value: \"‹abc›\", shown: true }",
    // Spelled to be overlooked.
    "{\"\\u0070assword\":\"‹abc›\",\"p\\u0061ssw\\u006frd\": \"‹def›\"}",
    "PassWord=‹hunter2› and passWord: \"‹hunter2›\"",
    "login --password ‹hunter2› --api-key '‹a b›' --token=‹abc›; --tokens 5",
    "<user>bob</user><password>‹hunter2›</password><apiKey>‹abc›</apiKey>",
    "redirect=https%3A%2F%2Fx%3Faccess_token%3D‹abc%2Fd›%26q%3D1",
    "const API_KEY: &'static str = \"‹abc›\"; let token: string = '‹abc›'",
    "Token(‹\"tok-0123456789abcdef\"›)",
    "https://‹0123456789abcdef0123›@host/x and https://‹rk0›:@host/y",
    "‹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›",
    "curl -u admin:‹hunter2› https://x; curl -s --user 'bob:‹ab›' https://y",
    "api_key = \"\"\"‹abc›\"\"\"\ntoken = '''‹def›'''",
    "password: |\n  ‹line one\n  line two›\nuser: bob\nsecret_key: >-\n    ‹abc›",
    "private_key_pem: \"‹abc›\", secret_key_base = ‹abc›, db_pass=‹x›",
    // Newer shapes, and those with more around them.
    "‹glpat-abcdefghij0123456789.01.0w1tlvvfz›, ‹glsoat-abcdefghij0123456789›",
    "https://api.telegram.org/bot‹123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc›/send",
    "‹MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdZ.abcdefghijklmnopqrstuvwxyz0› ‹dp.pt.abcdefghijklmnopqrstuvwxyz0123456789ABCD›",
    "‹dapi0123456789abcdef0123456789abcdef-2› ‹fc-0123456789abcdef0123456789abcdef› ‹tvly-abcdefghij0123456789›",
    "Authorization: ‹Digest username=\"bob\", response=\"6629fae4\"›\nAccept: x",
    "authorization: ‹AWS4-HMAC-SHA256 Credential=x/s3, Signature=deadbeef›",
    // Names of several words, and of types.
    "API Key: ‹abcdef12›, Secret Access Key: \"‹abc›\" and **Client key:** ‹abcdef12›",
    "my password is ‹hunter2222›, the API key is `‹abcdef12›`.",
    "ApiKey { value: \"‹abc›\" }, Wrapper { inner: Password { hash: \"‹abc›\" } }",
    "password:\t‹hunter2›\napi_key =\t\"‹abc›\"",
    "data:\n  password: ‹aHVudGVyMg=›\n  api-key: ‹aHVudGVyMg=›",
    "‹e2b_0123456789abcdef0123456789abcdef01234567›",
    // As `serde_json` shows values, and bytes.
    "Object {\"credentials\": ‹Array [Array [String(\"a\")]]›, \"n\": Number(1)}",
    "Array [Object {\"name\": String(\"API_KEY\"), \"value\": String(\"‹abc›\")}]",
    "[(\"authorization\", b\"‹abc›\"), (\"x-api-key\", ‹[97, 98]›)]",
    "[\"login\", \"--token\", \"‹abc›\", \"--password\", \"--quiet\"] <add key=\"ApiKey\" value=\"‹abc›\"/>",
    "seed_phrase: \"‹apple banana›\", client-key-data: ‹LS0tLQo›, recovery_code=‹12345›",
    "{\"token\":\"‹abc›\",\"log\":1} {\"token\":\"‹0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefg›\",\"logprob\":-1}",
    // Newer keys, and such that stand behind a name or an escape.
    "‹re_J94uSnJX_B7bsfCpGDphz2KOVM5koQ449› ‹rpa_N61T1SGFE2UEAU41GV0OUMZFD7B67PFLO48ZSW37OMTVI8›",
    "‹pat-na1-b03c1252-897d-4507-a7ea-76e819d39021› ‹api-34f54e80-abcc-437e-a1d8-731abaf10a1a›",
    "‹vck_0OmNfSWJLtL5R4sIuA17VPs7aBRJVWwBExKlpsSmK1yThuJk› ‹LTAIixIlYOdJ6VIOANmobAOg›",
    "‹dt0c01.HCCUR42FNR42LT46NJZ37FR4.33GI9903X3XXROXMNN4AW96LTDPCAF0W6WPTS1YJK6RAO1SB43TEZ19KD3J485VD›",
    "‹Gi78Q~kemwZf7nANwC444sDceTVAGHwmu7HXDpWx› ‹sha256~d3i86cHzwAWhoT9nSMpJWsGr0i7k2HlBV64vvK22IX3›",
    "key_‹sk-proj-abcdefghij0123456789ABCDEFGHIJ› %20‹sk-proj-abcdefghij0123456789ABCDEFGHIJ›",
    "‹eyJhbGciOiJkaXIifQ..iv.ct.tag› id-‹eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl›",
    "root:‹$6$rounds=5000$saltsalt$abcdefghijklmnopqrstuvwxyz›:18000 ‹$argon2id$v=19$m=65536,t=3$c29t$RdescudvJCsgt3ub›",
    "key: ‹LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFcEFJQkFB› done",
    "‹---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAAAi4\n---- END SSH2 ENCRYPTED PRIVATE KEY ----›",
    "…[9 of 12 bytes left out]…‹ MIIEpAIBAAKCAQEA7\nMIIEpAIBAAKCAQEA7\n›-----END RSA PRIVATE KEY-----",
    "card ‹4111 1111 1111 1111› 123, in 2024 ‹4111 1111 1111 1111› 2025",
    // Addresses.
    "{\"u\":\"https:\\/\\/bob:‹hunter2pw›@host\\/x\"} amqps%3A%2F%2Fu%3A‹hunter2pw›%40host",
    "https://‹abcdef0123456789abcdef0123456789:abcdef0123456789abcdef0123456780›@sentry.io/1",
    "https://host/cb?code=‹SplxlOBeZQQYbYS6WxSbIA›&state=x https://api/v1?key=‹9f8e7d6c5b4a3f2e1d0c›&q=1",
    "https://hooks.slack.com/workflows/‹T0000/A0000/123/abc› https://x.webhook.office.com/webhookb2/‹0ab1c2d3@0ab/x/1›",
    "%22password%22%3A%22‹hunter2pw›%22%2C Bearer%20‹abc123def456› BEARER\t‹abc123def456›",
    // Headers of schemes that are not known.
    "Authorization: ‹GenieKey 0123abcd-0123›\nAuthorization: ‹Zoho-oauthtoken 1000.abc.def›",
    // HTML, XML, and what is quoted in another way.
    "&quot;api_key&quot;:&quot;‹abc123›&quot;,&quot;x&quot;:1 &#34;password&#34;: &#34;‹a b›&#34;",
    "<ns:password>‹hunter2222›</ns:password><Password type=\"x\">‹hunter2222›</Password>",
    "<property name=\"password\">‹x1y2z3›</property><key>ApiKey</key>\n<string>‹x1y2z3›</string>",
    "define('DB_PASSWORD', '‹hunter2222›'); api_key: b\"‹abc›\"",
    "{\"password\" :\n  \"‹hunter2pw›\"}",
    "auth=‹(\"bob\", \"hunter2pw\")›, x",
    // Beside their name without a separator.
    "use the password ‹hunter2222› to log in; password set to ‹hunter2222›. invalid token `‹abcDEF123456›`",
    "| password | ‹hunter2222› |\n| api_key | `‹abcDEF12›` |",
    "machine api.x login bob password ‹hunter2222›\n_authToken ‹abc123›, ENV API_KEY ‹abc123def›",
    "CREATE USER bob IDENTIFIED BY '‹secret›'; ALTER ROLE x WITH PASSWORD '‹hunter2222›'",
    "Your verification code is ‹482913›. The ssn is ‹078-05-1120›. CVV: ‹123›, PIN: ‹4829›",
    "Password:\n‹hunter2222›\n\npassword:\n- ‹x1y2z3\n- a1b2c3›\nuser: bob",
    "seed phrase: ‹legal winner thank year wave sausage worth useful legal winner thank yellow›",
    "if password == \"‹hunter2222›\" { c.password(\"‹hunter2222›\").setApiKey('‹abc123›') }",
    // Command lines.
    "mysql -u root -p‹hunter2pw› -p‹x› db; sshpass -p ‹secret› ssh bob@x; redis-cli -h x -a \"‹secret›\" ping",
    "docker login -u bob -p ‹secret› reg; curl -ubob:‹secret› x; curl -b \"‹sid=abc›\" x; http -a bob:‹pw› x",
    "keytool -storepass ‹hunter2› --password \"‹a b›\" --pass ‹abc123› --key ‹0123456789abcdef0123›",
    // Names of other tongues, of credentials of other kinds, and fields of a type that is secret as a whole.
    "Passwort: ‹geheim›, contraseña=‹abc›, пароль: ‹abcd›, 密码：‹hunter2›, mot_de_passe=‹abc›",
    "OPENAI_KEY=‹abc› GITHUB_PAT=‹abc› DD_APP_KEY=‹abc› pin_code=‹12› MYAPP_KEY=‹0123456789abcdef› dsn='‹u:p@tcp(h)›'",
    "Credentials { user: \"‹bob›\", retries: 3, key: \"‹xyz›\" }, Login::Password { pw: \"‹x›\" }",
];

/// Texts that say nothing secret.
const PLAIN: &[&str] = &[
    "the tokens: 17, max_tokens=100, next_token: abc",
    "sk-learn-compatible-estimators-and-more",
    "a task-sk-1234567890",
    "Authorization is required. The password: is it set? Bearer of bad news. Basic understanding.",
    "api_key: None, password: null, token: \"\", secret=<yours>, key = ${KEY}, token=[redacted]",
    "use Token::new(x); if token == other {}; Token(\"fn\")",
    "0190f3a0-1111-7000-8000-4111111111111111 1764000000000000 12:30:45 4111 1111 2222 3333",
    "http://localhost:7273/api and user@example.com",
    "eyJhbGciOiJIUzI1NiJ9 alone, 4111",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "SecretBox<str>([REDACTED]) password: *****",
    "primary_key=7 public_key: abcd session_id=s1",
    "C:\\new\\token\\file",
    "[(\"tokens\", \"5\"), (\"author\", \"x\")] f(\"password\", \"is\", \"a word\") (\"password\", 3)",
    "{\"name\":\"author\",\"value\":\"x\"} --max-tokens 5 --pass <passage>x</passage> <password/> a > b",
    "pass: yes, \"pass\": \"all tests\", 100%3Dx, author%3Djane, https://user@host/x",
    "date -u 12:30 hf_transformers_model_loader_config_name password: >= 8 letters, token: |; curl --user-agent a:b -u bob",
    "fn f(password: String, api_key: str = None); key: str = 5; password: see docs",
    "token: Option<String>, secret: Vec<u8>, password: &str, api_key: &'static str",
    "the password is required; auth: required, token: expired; WHERE token = $1 AND password = ?",
    "{\"cookie\":true,\"cookies\":null}",
    "similarity 0.4242424242424242 and -1.5105105105105100",
    "the next token is token1234; the secret key: patience; primary key: a1b2c3d4; Token { value: \"fn\" }",
    "{\"token\":\"Hello\",\"logprob\":-0.31,\"bytes\":[72]} {\"bytes\":null,\"logprob\":-1.5e-7,\"token\":\" \\\"x\"}",
    "TokenLogprob { token: \"Hello\", logprob: -0.31 } { logprob: Some(-3.0), token: \"\\n\", bytes: None }",
    "{\n  \"token\": \"Hello\",\n  \"logprob\": -0.31\n}",
    // Source text, whose variables and types have such names.
    "let token = input.parse()?; pub semi_token: Token![;], brace_token: token::Brace, let token = match byte {}",
    "password = str(password), key_password=self.key_password, secret=secret, pw = pw[:-1]",
    "pub type CERT_AUTH: u32 = 5u32; SO_COOKIE: c_int = 57; AUTH = 155, CREDENTIALS: WBEMSTATUS = -2147217308i32",
    "private_key: HpkePrivateKey, szPassword: [u8; 257], token: {event:?}, password => $password, api_key=API_KEY_ENV",
    "Self::PrivateKey => \"PRIVATE KEY\", token: Literal, let auth = Some(header); PEEK_TOKEN(parser)",
    "('AUTH', 'SELECTED') password(\"your password\") token == \"fn\" class Credential:\n    \"\"\"A pair.\"\"\"",
    "key_der is a private key as PKCS#1, pass --debug-nghttp2, the named pipe identified by `addr2`",
    // Ids, counts, and names of public things.
    "chatcmpl-9AbCdEfGhIjKlMnOpQrStUvWxYz012 toolu_01T1x1fJ34qAmk2tNTrN7Up6 call_AbCdEf0123456789AbCdEf01",
    "pk_live_abcdefghij0123456789abcd req_011CSHoEeqs5C35K2UUqR7Fy file-AbCdEf0123456789AbCdEf",
    "{\"prompt_tokens\":17,\"completion_tokens_details\":{\"reasoning_tokens\":3},\"token_count\":5,\"max_tokens\":4096}",
    "\"cookies\": 3, \"secrets\": 12, cache_key=a15c61ed70efd07a92428e11d2e65ec9, PUBLIC_KEY=a15c61ed70efd07a9242",
    "commit 3f2a9c1d0b8e7f6a5d4c3b2a1908f7e6d5c4b3a2, 4044404959645932768, ISBN 978-3-16-148410-0, +49 30 901820",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "https://host/cb?code=US&key=name&pass=1, status code is 404000, ?page_token=",
    // Prose.
    "A password manager is safer. The password must be long. Passwords are hashed; the token expires in 10 minutes.",
    "our secret sauce, a session cookie 0.18.1, bearer RFC6750, JWT RS256, auth v1beta1, Basic English",
    "seed phrase: keep it safe",
    "",
];

#[test]
fn secrets_in_texts_are_taken_out_and_nothing_else() {
    for marked in TEXTS {
        let text = marked.replace(['‹', '›'], "");
        let mut expected = String::new();
        for (place, part) in marked.split(['‹', '›']).enumerate() {
            expected.push_str(if place % 2 == 1 { REDACTED } else { part });
        }
        let found = marked.matches('‹').count() as u64;
        // As a text; as JSON in a text; as JSON in JSON in a text.
        let once = json!({"text": &text}).to_string();
        let twice = json!({"text": &once}).to_string();
        for (text, depth) in [(&text, 0), (&once, 1), (&twice, 2)] {
            let (log, count) = redacted(&json!({"output": text, "after": "x"}));
            let mut output = log["output"].as_str().unwrap().to_owned();
            for _ in 0..depth {
                let inner: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
                output = inner["text"].as_str().unwrap().to_owned();
            }
            assert_eq!((output.as_str(), count, &log["after"]), (expected.as_str(), found, &json!("x")), "{text}");
            assert_eq!(redacted(&log), (log.clone(), 0), "nothing is left for a second pass");
        }
    }
    for text in PLAIN {
        for text in [(*text).to_owned(), json!({"text": text}).to_string()] {
            assert_eq!(redacted(&json!({ "output": text })), (json!({ "output": text }), 0));
        }
    }
}

#[test]
fn members_with_secret_names_are_taken_out_whole() {
    let (log, count) = redacted(&json!({
        "trace_id": "0190f3a0-0000-7000-8000-000000000001", "latency": 0.000_012, "execution_order": 4_111_111_111_111_111_i64,
        "inputs": {
            "api_key": "abc", "apiKey": 7, "credentials": {"a": [1, {"b": "}"}]}, "token": null, "password": "",
            "headers": [["Authorization", "x y"], ["accept", "json"]],
            "env": [{"name": "DB_PASSWORD", "value": "abc"}, {"name": "HOME", "value": "/root"}],
            "card": 4_111_111_111_111_111_i64, "near": 4_111_111_111_111_112_i64, "at": 1_764_000_000_000_000_i64,
            "sk-proj-abcdefghij0123456789": 1, "secrets": [], "max_tokens": 5, "token_ids": [1, 2], "next": {"token": 17},
            "args": ["login", "--token", "abc", "--quiet"], "raw": [["x-api-key", [97, 98]]],
            "variable": {"name": "DB_PASSWORD", "type": "string", "value": "abc"},
            "pieces": [{"bytes": [72], "logprob": -0.31, "token": "Hello"}, {"logprobs": null, "token": "abc"}],
        },
        "metadata": {"Stripe-Secret": "\"quoted\\"}, "tags": ["token=abc", "beta"],
        "scores": [{"name": "x", "score": 1.0, "reason": "saw password=abc"}],
    }));
    assert_eq!(
        log,
        json!({
            "trace_id": "0190f3a0-0000-7000-8000-000000000001", "latency": 0.000_012,
            "execution_order": 4_111_111_111_111_111_i64,
            "inputs": {
                "api_key": REDACTED, "apiKey": REDACTED, "credentials": REDACTED, "token": null, "password": "",
                "headers": [["Authorization", REDACTED], ["accept", "json"]],
                "env": [{"name": "DB_PASSWORD", "value": REDACTED}, {"name": "HOME", "value": "/root"}],
                "card": REDACTED, "near": 4_111_111_111_111_112_i64, "at": 1_764_000_000_000_000_i64,
                REDACTED: 1, "secrets": [], "max_tokens": 5, "token_ids": [1, 2], "next": {"token": 17},
                "args": ["login", "--token", REDACTED, "--quiet"], "raw": [["x-api-key", REDACTED]],
                "variable": {"name": "DB_PASSWORD", "type": "string", "value": REDACTED},
                "pieces": [{"bytes": [72], "logprob": -0.31, "token": "Hello"}, {"logprobs": null, "token": REDACTED}],
            },
            "metadata": {"Stripe-Secret": REDACTED}, "tags": ["token=[redacted]", "beta"],
            "scores": [{"name": "x", "score": 1.0, "reason": "saw password=[redacted]"}],
        })
    );
    assert_eq!(count, 14);
    // A second pass finds nothing left.
    assert_eq!(redacted(&log), (log.clone(), 0));
}

#[test]
fn mailboxes_by_choice() {
    let text = "from bob.smith+x@mail.example.org, not @home or a@b. \nann@x.io!";
    let redact = |emails| {
        let mut line = json!({ "output": text }).to_string().into_bytes();
        let count =
            Redactor { wanted: Wanted { emails, ..Wanted::default() }, ..Redactor::default() }.redact(&mut line, 1);
        (serde_json::from_slice::<Value>(&line).unwrap()["output"].as_str().unwrap().to_owned(), count)
    };
    assert_eq!(redact(false), (text.to_owned(), 0));
    assert_eq!(redact(true), ("from [redacted], not @home or a@b. \n[redacted]!".to_owned(), 2));
}

#[test]
fn names_by_choice_in_every_spelling() {
    let mut wanted = Wanted::default();
    for name in ["patient_id", "IBAN", ""] {
        wanted.add_name(name);
    }
    let log = json!({"inputs": {"patientId": 7, "Patient-ID": {"x": 1}, "iban": "DE", "patient": "p", "": 1},
                     "output": "P { patient_id: \"x\", id: 2 } iban=DE12 ibans=3"});
    let mut line = log.to_string().into_bytes();
    let count = Redactor { wanted, ..Redactor::default() }.redact(&mut line, 1);
    let expected = json!({"inputs": {"patientId": REDACTED, "Patient-ID": REDACTED, "iban": REDACTED, "patient": "p", "": 1},
                          "output": "P { patient_id: \"[redacted]\", id: 2 } iban=[redacted] ibans=3"});
    assert_eq!((serde_json::from_slice::<Value>(&line).unwrap(), count), (expected, 5));
}

#[test]
fn the_hook_sees_every_text_once_and_a_panic_in_it_takes_the_text_out() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&seen);
    let hook = Hook::new(move |text| {
        noted.lock().unwrap().push(text.to_owned());
        assert!(crate::Context::current().is_off(), "what it calls would be a log, about which it would be asked");
        assert!(!text.contains("boom"), "boom");
        text.contains("Bob").then(|| text.replace("Bob", "\"B\""))
    });
    let mut line = json!({"status": "Bob", "inputs": {"Bob": ["Bob 1", 7, "boom", "é"]}, "output": "password=x", "experiment_uuid": "Bob"})
        .to_string()
        .into_bytes();
    let count = Redactor { hook: Some(hook), ..Redactor::default() }.redact(&mut line, 1);
    let log: Value = serde_json::from_slice(&line).unwrap();
    let expected = json!({"status": "Bob", "inputs": {"\"B\"": ["\"B\" 1", 7, "[redacted: the hook panicked]", "é"]},
                          "output": "password=[redacted]", "experiment_uuid": "Bob"});
    assert_eq!((log, count), (expected, 4));
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, ["Bob", "Bob 1", "boom", "password=[redacted]", "é"]);
}

/// Whatever a log holds, the line stays JSON, and what stands behind a secret is still there.
#[test]
fn any_line_stays_json_of_the_same_shape() {
    const PIECES: &[&str] = &[
        "password",
        "token",
        "=",
        ":",
        "\"",
        "\\",
        "\\\\",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "'",
        " ",
        "\n",
        "\u{1}",
        "é",
        "://",
        "@",
        "x",
        "sk-proj-abcdefghij0123456789",
        "4111 1111 1111 1111",
        "eyJhbGciOiJI.eyJzdWIi.c2ln",
        "Bearer ",
        "abc123def456",
        "-----BEGIN PRIVATE KEY-----",
        "-----END ",
        "Some(",
        "Zeroizing(",
        "hooks.slack.com/services/",
        "API key",
        " is ",
        "ApiKey {",
        "--token",
        "Authorization: Digest a=",
        "b=\"",
        "logprob",
        "&quot;",
        "%22",
        "%3A",
        "mysql -p",
        "$2b$10$abcdefghijklmnopqrstuvwxyz01",
        "sha256~",
        "<password>",
        "</",
        "：",
        "-----END RSA PRIVATE KEY-----",
        "u0041",
        "\u{1f511}",
        ",",
    ];
    fn text(random: &mut fastrand::Rng) -> String {
        (0..random.usize(0..8)).map(|_| *random.choice(PIECES).unwrap()).collect()
    }
    fn value(random: &mut fastrand::Rng, depth: usize) -> Value {
        match random.usize(0..if depth == 0 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => random.u64(..).into(),
            2..=4 => text(random).into(),
            5 => (0..random.usize(0..4)).map(|_| value(random, depth - 1)).collect(),
            _ => Value::Object((0..random.usize(0..4)).map(|_| (text(random), value(random, depth - 1))).collect()),
        }
    }
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let log = json!({"output": text(&mut random), "inputs": value(&mut random, 3), "last": "end"});
        let (once, count) = redacted(&log);
        assert_eq!(once["last"], "end", "{log}");
        assert!(once.as_object().unwrap().len() == 3, "{log}");
        assert!(count > 0 || once == log, "{log}");
        let mut line = log.to_string().into_bytes();
        let counted = Redactor::default().redact(&mut line, 1);
        let marks = String::from_utf8_lossy(&line).matches(REDACTED).count() as u64;
        assert_eq!((marks, counted), (count, count), "{log}");
    }
}

/// Texts whose every part may begin something that is looked for to their end. What is behind them is still there, and a
/// second pass finds nothing.
#[test]
fn long_texts_of_one_piece() {
    const LENGTH: usize = 16 * 1024;
    const PIECES: &[&str] = &[
        "a",
        "0",
        "=",
        "\"",
        "\\",
        "\\\"",
        "eyJ",
        "eyJ.",
        "sk-",
        "sk-a",
        "SG.",
        "4111 ",
        "(",
        "[",
        "{",
        "'",
        "`",
        "&",
        "&quot;",
        "<a>",
        "password=",
        "password=\"",
        "password:{",
        "api_key=(",
        "password is ",
        "password ",
        "token:",
        "\"token\":",
        "API key: ",
        "[\"token\",[",
        "('token','",
        "Some(",
        "ApiKey { v: x",
        "Token { value: ",
        "seed phrase is ",
        "name\",\"value\":\"",
        "--password ",
        "-u a:",
        "mysql -p",
        "curl -u a:",
        "https://a:b@",
        "https:\\/\\/",
        "?code=",
        "a%3Da",
        "token%3D",
        "%22",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "Cookie: ",
        "password: |\n  ",
        "password: |\n  x\\",
        "password:\n- ",
        "Authorization: Digest a=\"",
        "<password>",
        "<a name=",
        "$1$",
        "sha256~",
        "Bearer ",
        "password：",
        "\n",
        "\u{0}",
        "é",
    ];
    for piece in PIECES {
        let text = piece.repeat(LENGTH / piece.len());
        let (log, _) = redacted(&json!({ "output": text, "after": "password=x" }));
        assert_eq!(log["after"], "password=[redacted]", "{piece}");
        assert!(redacted(&log) == (log, 0), "{piece}");
    }
}
