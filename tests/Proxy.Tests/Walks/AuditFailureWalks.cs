using System.Net;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Audit;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>What happens while audit records cannot be delivered or written (T30).</summary>
public sealed class AuditFailureWalks : IAsyncDisposable
{
    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));
    private readonly string _folder = Directory.CreateTempSubdirectory("audit-").FullName;
    private readonly FakeTimeProvider _time = new(SampleRecords.Time);
    private readonly int _port = FreePort.Next();

    private string Outbox => Path.Combine(_folder, "outbox");

    public async ValueTask DisposeAsync()
    {
        _east.Dispose();
        await Until.DeletedAsync(_folder);
    }

    [Fact]
    public async Task T30_LosesNoRecord_WhenTheServerIsDown_AndRequestsAreRefusedOnceTheOutboxIsFull()
    {
        await using var proxy = Start("Refuse");
        var answered = 0;
        Reply reply;
        while ((reply = await SearchAsync(proxy, answered)).Status == HttpStatusCode.OK) answered++;

        Assert.Equal(HttpStatusCode.ServiceUnavailable, reply.Status);
        Assert.Equal("Accesses cannot be recorded", (string)reply.Json["title"]!);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await proxy.GetAsync("/store/studies")).Status);
        Assert.Equal(HttpStatusCode.OK, (await proxy.GetAsync("/health/live")).Status);
        Assert.Equal(HttpStatusCode.OK, (await proxy.GetAsync("/")).Status);
        var metrics = (await proxy.GetAsync("/metrics")).Text;
        Assert.Matches("proxy_audit_failing[^ ]* 1", metrics);
        Assert.Contains(
            proxy.Log.All, line => line.Contains("Audit records cannot be written: the outbox is full", StringComparison.Ordinal));

        await using var server = new SyslogServer(_folder, _port);
        await PassAsync(async () => (await SearchAsync(proxy, answered)).Status == HttpStatusCode.OK);
        await PassAsync(() => Task.FromResult(CountSearches(server) > answered));

        await StopAsync(proxy);
        Assert.Equal(answered + 1, CountSearches(server));
        Assert.DoesNotContain(proxy.Log.All, line => line.Contains("audit records were lost", StringComparison.Ordinal));
    }

    [Fact]
    public async Task T30_GoesOnAndReportsTheLoss_WhenTheSettingsSaySo()
    {
        await using var proxy = Start("Continue");
        await Until.TrueAsync(async () =>
        {
            for (var i = 0; i < 10; i++) Assert.Equal(HttpStatusCode.OK, (await SearchAsync(proxy, 1)).Status);
            return proxy.Log.All.Any(line => line.Contains("audit records were lost", StringComparison.Ordinal));
        });

        var metrics = (await proxy.GetAsync("/metrics")).Text;
        Assert.Matches("proxy_audit_lost_total[^ ]* [1-9]", metrics);
        Assert.Matches("proxy_audit_pending_bytes.*syslog[^ ]* [1-9]", metrics);
        // While the proxy runs, the outbox replaces its files.
        await StopAsync(proxy);
        Assert.InRange(Directory.EnumerateFiles(Outbox, "*.log").Sum(file => new FileInfo(file).Length), 1, 1 << 16);
    }

    [Fact]
    public async Task DeliversAfterTheNextStart_WhatTheServerDidNotTake()
    {
        await using var first = Start("Continue");
        await SearchAsync(first, 1);
        await StopAsync(first);

        await using var server = new SyslogServer(_folder, _port);
        await using var second = Start("Continue");
        await second.GetAsync("/health/live");
        await PassAsync(() => Task.FromResult(CountSearches(server) == 1));
        await StopAsync(second);
    }

    private static int CountSearches(SyslogServer server) =>
        server.Messages.Distinct().Count(message => message.Contains("csd-code=\"110112\"", StringComparison.Ordinal));

    private static Task<Reply> SearchAsync(ProxyHost proxy, int number) =>
        proxy.GetAsync($"/dicomweb/studies?PatientID={number}&PatientName={new string('x', 1500)}");

    /// <summary>Stops a proxy while time passes: a delivery waits for the settling of its connection.</summary>
    private async Task StopAsync(ProxyHost proxy)
    {
        var stopping = proxy.DisposeAsync().AsTask();
        await PassAsync(() => Task.FromResult(stopping.IsCompleted));
        await stopping;
    }

    private Task PassAsync(Func<Task<bool>> condition) => Until.TrueAsync(() =>
    {
        _time.Advance(TimeSpan.FromMilliseconds(100));
        return condition();
    });

    private ProxyHost Start(string onFailure) => new(("east", _east.Address))
    {
        Time = _time,
        ["Audit:Outbox"] = Outbox,
        ["Audit:Syslog"] = $"localhost:{_port}",
        ["Audit:SyslogCaFile"] = GetCaFile(),
        ["Audit:MaxPendingBytes"] = "65536",
        ["Audit:OnFailure"] = onFailure,
    };

    /// <summary>A server writes its certificate; before the first one there is an empty file.</summary>
    private string GetCaFile()
    {
        var file = Path.Combine(_folder, "ca.pem");
        if (!File.Exists(file)) File.WriteAllText(file, "");
        return file;
    }
}
