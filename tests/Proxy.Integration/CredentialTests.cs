using System.Net;
using Xunit;

namespace Proxy.Integration;

/// <summary>An archive with a password that the proxy knows and its users do not need.</summary>
public sealed class CredentialTests(Lab lab) : IAsyncLifetime
{
    private const string User = "lab", Password = "lab-secret";
    private OrthancServer _guarded = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await lab.StartAsync(Cancel);
        _guarded = await OrthancServer.StartAsync("guarded", new NetworkCredential(User, Password), Cancel);
        await _guarded.StoreAsync(Archives.OldAxial.Instances, Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (_guarded is not null)
            await _guarded.DisposeAsync();
    }

    [Fact]
    public async Task AuthenticatesToAnArchive_WithItsPassword()
    {
        await using var proxy = await StartAsync(Password);
        var rows = (await proxy.Client.GetJsonAsync("studies", Cancel)).Datasets;
        Assert.Contains(Archives.PriorCt.Uid, rows.Select(r => r!.Text(Tags.StudyInstanceUid)));
        Assert.Contains(Archives.Us.Uid, rows.Select(r => r!.Text(Tags.StudyInstanceUid)));
        var instance = Archives.OldAxial.Instances.First();
        Assert.Equal(instance.Frame(1), Assert.Single((await proxy.Client.GetFramesAsync(instance, "1", Cancel)).Parts()));
        Assert.DoesNotContain(Password, proxy.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnswersWithoutAnArchive_WhenItRefusesThePassword()
    {
        await using var proxy = await StartAsync("another");
        var answer = await proxy.Client.AskAsync("studies", DicomwebClient.Json, Cancel);
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal(
            Archives.West.Select(s => s.Study.Uid).Distinct().Order(StringComparer.Ordinal),
            answer.Datasets.Select(r => r!.Text(Tags.StudyInstanceUid)!).Order(StringComparer.Ordinal));
        Assert.Contains("east", answer.Headers["Warning"], StringComparison.Ordinal);

        // The user's credentials are not at fault, so the proxy does not ask the user for credentials.
        var missed = await proxy.Client.AskAsync($"{Archives.OldAxial.Path}/metadata", DicomwebClient.Json, Cancel);
        Assert.InRange(missed.Status, HttpStatusCode.BadGateway, HttpStatusCode.GatewayTimeout);
        Assert.DoesNotContain("WWW-Authenticate", missed.Headers.Keys);
    }

    private Task<ProxyProcess> StartAsync(string password) => ProxyProcess.StartAsync(
        [
            .. ProxyProcess.Backend("east", _guarded.Address), .. ProxyProcess.Backend("west", lab.West.Address), .. ProxyProcess.Lasting,
            "Backends:east:Authentication:Scheme=Basic", $"Backends:east:Authentication:User={User}",
            $"Backends:east:Authentication:Password={password}",
        ],
        Cancel);
}
