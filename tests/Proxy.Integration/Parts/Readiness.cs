using System.Net;
using System.Net.Sockets;

namespace Proxy.Integration;

/// <summary>Finding a port for a program, and waiting until the program answers there.</summary>
public static class Readiness
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30), Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>A loopback port that is free now. Programs that cannot choose their own port leave no better way.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>
    /// Polls until <paramref name="url"/> answers 200; fails at once, with its log, when the program ended before or has no such address.
    /// </summary>
    public static async Task AwaitAsync(HttpClient http, string url, ChildProcess process, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        while (true)
        {
            if (process.HasExited)
                throw new InvalidOperationException($"It ended before {url} answered. It said:\n{process.Log}");
            try
            {
                using var answer = await http.GetAsync(new Uri(url), limit.Token);
                if (answer.StatusCode == HttpStatusCode.OK)
                    return;
                if (answer.StatusCode == HttpStatusCode.NotFound)
                    throw new InvalidOperationException($"It knows no {url}. It said:\n{process.Log}");
            }
            catch (HttpRequestException)
            {
                // Nobody listens yet.
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"No 200 from {url} after {Limit}. It said:\n{process.Log}");
            }

            await Task.Delay(Pause, TimeProvider.System, cancellationToken);
        }
    }
}
