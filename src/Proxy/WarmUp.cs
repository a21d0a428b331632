using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Reflection;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Proxy.Admin.Testing;
using Proxy.Demo;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy;

/// <summary>Makes the code of the first requests ready before the server listens: it loads types, stubs and precompiled methods.</summary>
/// <remarks>
/// A second proxy in this process opens a study as a viewer does. It has services, memory, store and a port of its own, a demo PACS as
/// its backend, and neither settings, folders, logs, records nor exporters. So the proxy that serves clients has no trace of it, and
/// needs no PACS for it. It is discarded afterwards.
/// </remarks>
internal static class WarmUp
{
    /// <summary>The time after which the server starts without it.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>Misses, hits, and hits on compressed frames.</summary>
    private const int Rounds = 3;

    private const string Frames = "multipart/related; type=application/octet-stream; transfer-syntax=*";

    /// <summary>The search of OHIF's study list.</summary>
    private const string List =
        "/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030";

    /// <summary>Begins on another thread, unless it is off, or the build is not optimized: its code would be compiled twice.</summary>
    /// <returns>Completes with the reason if it fails; it never throws.</returns>
    public static Task<string?> Begin(StartupOptions options, Func<WebApplicationBuilder, Settings, WebApplication> build) =>
        options.WarmUp && Assembly.GetExecutingAssembly().GetCustomAttribute<DebuggableAttribute>()?.IsJITOptimizerDisabled != true
            ? LimitAsync(Task.Run(() => RunAsync(build, TimeProvider.System)), TimeProvider.System)
            : Task.FromResult((string?)null);

    /// <summary>Gives up waiting for a warm-up that does not end, not even when it is cancelled.</summary>
    internal static async Task<string?> LimitAsync(Task<string?> running, TimeProvider time)
    {
        try
        {
            return await running.WaitAsync(Limit * 2, time);
        }
        catch (TimeoutException e)
        {
            return e.Message;
        }
    }

    /// <summary>Warms up.</summary>
    /// <param name="build">Composes a proxy.</param>
    /// <param name="time">The clock of the limit.</param>
    /// <returns>Null, or why it did not complete.</returns>
    public static async Task<string?> RunAsync(Func<WebApplicationBuilder, Settings, WebApplication> build, TimeProvider time)
    {
        using var late = new CancellationTokenSource(Limit, time);
        try
        {
            await using var pacs = await DemoPacs.StartAsync(DemoArchive.Small, cancellation: late.Token);
            var builder = CreateBuilder(pacs.Address);
            var settings = Settings.Read(builder.Configuration, out var errors);
            if (errors.Count > 0) return errors[0];
            await using var app = build(builder, settings);
            await app.StartAsync(late.Token);
            await OpenStudyAsync(app, late.Token);
            await app.StopAsync(new CancellationToken(canceled: true));
            return null;
        }
        catch (Exception e)
        {
            return e.Message;
        }
    }

    private static WebApplicationBuilder CreateBuilder(Uri pacs)
    {
        // The empty builder: files, environment and command line are for the proxy that serves clients.
        var builder = WebApplication.CreateEmptyBuilder(new() { EnvironmentName = Environments.Production });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["urls"] = "http://127.0.0.1:0",
            ["Backends:demo:Address"] = pacs.ToString(),
            ["Cache:Memory:MaxBytes"] = (256 << 20).ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["Startup:TestBackends"] = "false",
        });
        builder.Services.AddRouting().AddSingleton<IHostLifetime, QuietLifetime>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        return builder;
    }

    /// <summary>Sends the requests with which OHIF shows a list and opens a study: first as misses, then as hits.</summary>
    private static async Task OpenStudyAsync(WebApplication app, CancellationToken cancellation)
    {
        var server = app.Services.GetRequiredService<IServer>();
        var address = server.Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single();
        using var client = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false, UseCookies = false });
        var study = DemoArchive.Small.Studies[0];
        var series = study.Series[0];
        var path = $"/studies/{study.StudyInstanceUid}/series/{series.SeriesInstanceUid}";
        string[] frames = [.. series.Instances.Select(instance => $"{path}/instances/{instance.SopInstanceUid}/frames/1")];
        for (var round = 0; round < Rounds; round++)
        {
            await SendAsync(List, MediaType.DicomJson);
            await SendAsync($"{List}&StudyInstanceUID={study.StudyInstanceUid}", MediaType.DicomJson);
            await SendAsync($"/studies/{study.StudyInstanceUid}/series?includefield=0008103E%2C00200011", MediaType.DicomJson);
            await SendAsync(path + "/metadata", MediaType.DicomJson);
            await Task.WhenAll(frames.Select(frame => SendAsync(frame, Frames)));
        }
        async Task SendAsync(string target, string accept)
        {
            var tag = await GetAsync(target, accept, tag: null);
            if (tag is not null) await GetAsync(target, accept, tag);
        }

        async Task<EntityTagHeaderValue?> GetAsync(string target, string accept, EntityTagHeaderValue? tag)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"{address}/dicomweb{target}");
            request.Headers.TryAddWithoutValidation("Accept", accept);
            request.Headers.TryAddWithoutValidation("Accept-Encoding", "gzip, deflate, br, zstd");
            if (tag is not null) request.Headers.IfNoneMatch.Add(tag);
            using var response = await client.SendAsync(request, cancellation);
            await response.Content.CopyToAsync(Stream.Null, cancellation);
            return response.Headers.ETag;
        }
    }
}
