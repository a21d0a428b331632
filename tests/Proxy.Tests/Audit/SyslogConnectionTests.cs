using Microsoft.Extensions.Time.Testing;
using Proxy.Audit;
using Proxy.Audit.Sinks;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Audit;

/// <summary>Records by syslog over TLS (RFC 5425).</summary>
public sealed class SyslogConnectionTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("syslog-").FullName;
    private readonly FakeTimeProvider _time = new(SampleRecords.Time);

    public async ValueTask DisposeAsync() => await Until.DeletedAsync(_folder);

    [Fact]
    public async Task SendsMessagesOfRfc5424()
    {
        await using var server = new SyslogServer(_folder);
        var sink = Create(server);

        await SendAsync(sink);
        await sink.CloseAsync();

        await Until.TrueAsync(() => server.Messages.Count == SampleRecords.All.Count);
        Assert.Matches(
            "^<85>1 2026-11-28T09:30:00.000Z proxy1 dicomweb-proxy [0-9]+ DICOM\\+RFC3881 - \uFEFF<AuditMessage>.*</AuditMessage>$",
            server.Messages[0]);
        // A failure is a warning.
        Assert.StartsWith("<84>1 ", server.Messages[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task PresentsItsCertificate()
    {
        await using var server = new SyslogServer(_folder);
        using var own = SyslogServer.CreateCertificate("proxy1");
        var (certificate, key) = (Path.Combine(_folder, "own.pem"), Path.Combine(_folder, "own.key"));
        await File.WriteAllTextAsync(certificate, own.ExportCertificatePem(), TestContext.Current.CancellationToken);
        using (var secret = System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions.GetECDsaPrivateKey(own)!)
            await File.WriteAllTextAsync(key, secret.ExportPkcs8PrivateKeyPem(), TestContext.Current.CancellationToken);

        await SendAsync(Create(server, options => options with { SyslogCertificateFile = certificate, SyslogKeyFile = key }));

        Assert.Equal("CN=proxy1", server.ClientSubject);
    }

    [Fact]
    public async Task SendsNothingToAServerThatItDoesNotTrust()
    {
        await using var server = new SyslogServer(_folder);
        var sink = Create(server, options => options with { SyslogCaFile = null });

        await Assert.ThrowsAsync<System.Security.Authentication.AuthenticationException>(
            () => sink.SendAsync(SampleRecords.All, TestContext.Current.CancellationToken));

        Assert.Empty(server.Messages);
    }

    [Fact]
    public async Task ConnectsAgain_WhenTheServerWasRestarted()
    {
        await using var first = new SyslogServer(_folder);
        var port = first.Port;
        var sink = Create(first);
        await SendAsync(sink);
        await first.DisposeAsync();
        await using var second = new SyslogServer(_folder, port);

        // The end of the connection may be noticed after the first attempt only.
        await Until.TrueAsync(async () =>
        {
            try
            {
                await SendAsync(sink);
                return true;
            }
            catch (IOException)
            {
                await sink.CloseAsync();
                return false;
            }
        });

        await Until.TrueAsync(() => second.Messages.Count >= SampleRecords.All.Count);
    }

    private SyslogConnection Create(SyslogServer server, Func<AuditOptions, AuditOptions>? change = null)
    {
        var options = new AuditOptions(null, "localhost", AuditFailureMode.Continue)
        {
            SyslogPort = server.Port,
            SyslogCaFile = server.CaFile,
            SourceId = "proxy1",
        };
        return new(change is null ? options : change(options), _time);
    }

    /// <summary>Sends all samples, while time passes for the settling of the connection.</summary>
    private async Task SendAsync(SyslogConnection sink)
    {
        var sending = sink.SendAsync(SampleRecords.All, TestContext.Current.CancellationToken);
        await Until.TrueAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(10));
            return sending.IsCompleted;
        });
        await sending;
    }
}
