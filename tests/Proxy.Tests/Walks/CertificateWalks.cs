using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Users who authenticate with a client certificate.</summary>
public sealed class CertificateWalks(CertificateWalks.OneProxy fixture) : IClassFixture<CertificateWalks.OneProxy>
{
    private readonly OneProxy _lab = fixture;

    /// <summary>A proxy over TLS that knows two users of one authority.</summary>
    public sealed class OneProxy : IAsyncDisposable
    {
        public OneProxy()
        {
            Folder = Directory.CreateTempSubdirectory("proxy-certificates-").FullName;
            var (certificate, key) = Authority.Issue("CN=localhost");
            string Write(string name, string text)
            {
                var path = Path.Combine(Folder, name);
                File.WriteAllText(path, text);
                return path;
            }
            Anna = Load(Authority.Issue("CN=Anna, O=Hospital"));
            Olga = Load(Authority.Issue("CN=Olga"));
            Proxy = new(("east", "http://127.0.0.1:1/dicom-web"))
            {
                ["urls"] = "https://127.0.0.1:0",
                ["Kestrel:Certificates:Default:Path"] = Write("server.pem", certificate),
                ["Kestrel:Certificates:Default:KeyPath"] = Write("server.key", key),
                ["Security:Authentication"] = "Certificate",
                ["Security:Certificate:CaFile"] = Write("ca.pem", Authority.Pem),
                ["Security:Certificate:Users:anna:Subject"] = "CN=Anna, O=Hospital",
                ["Security:Certificate:Users:anna:Roles:0"] = "cardio",
                ["Security:Certificate:Users:olga:Thumbprint"] = Olga.GetCertHashString(HashAlgorithmName.SHA256),
                ["Security:Certificate:Users:olga:Roles:0"] = "operator",
            };
        }

        public TestAuthority Authority { get; } = new();

        public X509Certificate2 Anna { get; }

        public X509Certificate2 Olga { get; }

        public ProxyHost Proxy { get; }

        private string Folder { get; }

        public static X509Certificate2 Load((string Certificate, string Key) pem)
        {
            using var loaded = X509Certificate2.CreateFromPem(pem.Certificate, pem.Key);
            return X509CertificateLoader.LoadPkcs12(loaded.Export(X509ContentType.Pfx), password: null);
        }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            Anna.Dispose();
            Olga.Dispose();
            Authority.Dispose();
            Directory.Delete(Folder, recursive: true);
        }
    }

    [Fact]
    public async Task KnowsAUser_ByTheSubjectOrTheThumbprint()
    {
        var anna = await AskAsync(_lab.Anna, "/caller");
        var olga = await AskAsync(_lab.Olga, "/caller");

        Assert.Equal((200, 200), (anna.Status, olga.Status));
        Assert.Equal(("anna", """["viewer"]"""), ((string?)anna.Json["name"], anna.Json["roles"]!.ToJsonString()));
        Assert.Equal(("olga", """["viewer","operator"]"""), ((string?)olga.Json["name"], olga.Json["roles"]!.ToJsonString()));
    }

    [Fact]
    public async Task RefusesOtherCertificates_AndNone()
    {
        using var foreign = new TestAuthority();
        using var same = OneProxy.Load(foreign.Issue("CN=Anna, O=Hospital"));
        using var unknown = OneProxy.Load(_lab.Authority.Issue("CN=Mallory"));

        var answers = new[] { await AskAsync(null, "/caller"), await AskAsync(same, "/caller"), await AskAsync(unknown, "/caller") };

        Assert.All(answers, answer => Assert.Equal(401, answer.Status));
        Assert.Equal(3, answers.Select(a => (string?)a.Json["detail"]).Distinct().Count());
        Assert.Equal(200, (await AskAsync(null, "/health/live")).Status);
    }

    private async Task<(int Status, JsonNode Json)> AskAsync(X509Certificate2? certificate, string path)
    {
        using var client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions =
            {
                RemoteCertificateValidationCallback = (_, server, _, _) => server is not null,
                ClientCertificates = certificate is null ? [] : [certificate],
                LocalCertificateSelectionCallback = certificate is null ? null : (_, _, _, _, _) => certificate,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            },
        });
        using var answer = await client.GetAsync(new Uri(_lab.Proxy.Address + path), TestContext.Current.CancellationToken);
        return ((int)answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!);
    }
}
