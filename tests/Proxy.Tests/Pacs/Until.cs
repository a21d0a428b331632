using System.Runtime.CompilerServices;
using Xunit;

namespace Proxy.Tests.Pacs;

/// <summary>Waits that end: for a condition, or with a failure that names it.</summary>
public static class Until
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    public static Task TrueAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "") =>
        TrueAsync(() => Task.FromResult(condition()), what);

    /// <summary>Deletes a folder although somebody is still writing into it.</summary>
    public static Task DeletedAsync(string folder) => TrueAsync(
        () =>
        {
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (DirectoryNotFoundException)
            {
                return true;
            }
            catch (IOException)
            {
                return false;
            }
            return true;
        },
        $"{folder} is gone");

    public static async Task TrueAsync(Func<Task<bool>> condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(started) > Patience) Assert.Fail($"It never came to this: {what}");
            await Task.Delay(Pause, TimeProvider.System);
        }
    }
}
